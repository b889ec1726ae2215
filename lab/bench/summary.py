# SPDX-License-Identifier: Apache-2.0

"""Medians, spread, ratios and goals. Pure: reads a :class:`.result.Bench`.

A run that did not end within the limit of its mode took for ever; its lost
work has no end either. So a median is a time as long as most of the runs
came to an end.
"""

from collections.abc import Callable, Iterable
import dataclasses
import enum
import math
import statistics

from lab.bench import guests
from lab.bench import modes
from lab.bench import result

# The guest that is hot all over: at most so much of RAM / bandwidth, and so
# many seconds of Nova's own on top.
FULL = 'full'
FULL_RATIO = 1.25
FULL_S = 2.0
# Seconds that cannot be told apart. Nova is asked for its state five times a
# second; the pace of a guest is known to some per cent.
TOTAL_RESOLUTION_S = 0.2
WORK_RESOLUTION_S = 0.1
# Of fewer runs nobody knows how far they lie apart.
FEWEST = 3


@dataclasses.dataclass(frozen=True)
class Spread:
    """The middle of some values, and how far they lie apart."""

    median: float
    low: float          #: first quartile
    high: float         #: third quartile
    count: int

    @classmethod
    def of(cls, values: Iterable[float]) -> 'Spread | None':
        """Return that of values; None: there are none."""
        found = sorted(values)
        if not found:
            return None
        return cls(statistics.median(found), _quartile(found, 0.25),
                   _quartile(found, 0.75), len(found))


def _quartile(ordered: list[float], share: float) -> float:
    """Return a quartile; between a time and for ever lies for ever."""
    place = share * (len(ordered) - 1)
    below, above = ordered[math.floor(place)], ordered[math.ceil(place)]
    if below == above:
        return below
    return below + (place - math.floor(place)) * (above - below)


class Verdict(enum.Enum):
    AHEAD = 'ahead of'
    EQUAL = 'as good as'    #: the difference is within the spread
    BEHIND = 'behind'


@dataclasses.dataclass(frozen=True)
class Goal:
    """Something that ought to be, and whether it is."""

    passed: bool
    sentence: str


def runs(bench: result.Bench, guest: str, mode: str) -> list[result.Run]:
    """Return the runs of a kind that were carried out."""
    return [run for run in bench.runs
            if (run.guest, run.mode) == (guest, mode)
            and run.result != 'failed']


def total(run: result.Run) -> float:
    return math.inf if run.total is None else run.total


def lost_work(run: result.Run) -> float:
    return math.inf if run.total is None else run.lost_work


def spread(bench: result.Bench, guest: str, mode: str,
           value: Callable[[result.Run], float | None]) -> Spread | None:
    """Summarise a figure of the runs of a kind.

    :param value: of a run; None leaves it out
    """
    return Spread.of(found for run in runs(bench, guest, mode)
                     if (found := value(run)) is not None)


def compare(ours: Spread, other: Spread, resolution: float = 0.0) -> Verdict:
    """Say whether ours is less, by more than the spread of both.

    :param resolution: differences up to this are none
    """
    if ours.high < other.low and other.median - ours.median > resolution:
        return Verdict.AHEAD
    if ours.low > other.high and ours.median - other.median > resolution:
        return Verdict.BEHIND
    return Verdict.EQUAL


def ratio(one: Spread | None, other: Spread | float | None) -> float | None:
    """Divide medians; None: there is nothing to divide."""
    below = other.median if isinstance(other, Spread) else other
    if one is None or not below or math.inf in (one.median, below):
        return None
    return one.median / below


def goals(bench: result.Bench) -> list[Goal]:
    """Judge what the bench is there to show."""
    found = [*_full(bench), *_wrong_pages(bench), *_failed(bench)]
    for guest in guests.GUESTS.values():
        for mode in modes.MODES.values():
            if mode.upstream:
                found += _against(bench, guest, mode)
    return found


def _full(bench: result.Bench) -> list[Goal]:
    seen = spread(bench, FULL, modes.OURS, total)
    if seen is None:
        return []
    most = FULL_RATIO * bench.ideal + FULL_S
    return [Goal(seen.median <= most, (
        'The guest that is hot all over is moved in %.1f s, at most %.1f s '
        'are wanted (%.2f x RAM / bandwidth + %.0f s).' % (
            seen.median, most, FULL_RATIO, FULL_S)))]


def _against(bench: result.Bench, guest: guests.Guest,
             mode: modes.Mode) -> list[Goal]:
    found = []
    for name, value, resolution in (
            ('total', total, TOTAL_RESOLUTION_S),
            ('lost work', lost_work, WORK_RESOLUTION_S)):
        ours = spread(bench, guest.name, modes.OURS, value)
        other = spread(bench, guest.name, mode.name, value)
        if None in (ours, other) or min(ours.count, other.count) < FEWEST:
            continue
        verdict = compare(ours, other, resolution)
        found.append(Goal(verdict is not Verdict.BEHIND, (
            '%s, %s: %s %s (%s against %s).' % (
                guest.title, name, verdict.value, mode.title,
                seconds(ours.median), seconds(other.median)))))
    return found


def _wrong_pages(bench: result.Bench) -> list[Goal]:
    wrong = sum(run.wrong_pages for run in bench.runs)
    return [Goal(not wrong, 'Pages that were not what the guest had written, '
                 'in %d migrations: %d.' % (len(bench.runs), wrong))]


def _failed(bench: result.Bench) -> list[Goal]:
    failed = [run for run in bench.runs if run.result == 'failed']
    return [Goal(not failed, 'Runs that could not be made: %s.' % (
        '; '.join('%s, %s, %d (%s)' % (*run.key, run.error)
                  for run in failed) or 'none'))]


def seconds(value: float | None) -> str:
    """Write seconds for people."""
    if value is None:
        return '-'
    if value == math.inf:
        return 'never'
    return '%.2f s' % value if abs(value) < 1 else '%.1f s' % value


def cell(seen: Spread | None, form: Callable[[float], str]) -> str:
    """Write a median, and the quartiles where they are something else."""
    if seen is None:
        return '-'
    if seen.low == seen.high or math.inf in (seen.low, seen.median):
        return form(seen.median)
    return '%s (%s to %s)' % tuple(
        form(value) for value in (seen.median, seen.low, seen.high))
