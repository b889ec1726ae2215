# SPDX-License-Identifier: Apache-2.0

"""In which order the runs are made, and how long the rest of them takes.

Pure: no lab, no clock.
"""

from collections.abc import Collection, Mapping, Sequence
import dataclasses
import itertools
import math
import random
import statistics

from lab.bench import guests
from lab.bench import modes

Key = tuple[str, str, int]      # guest, mode, number of the round

# Multiples of it, without their integers, fill an interval evenly.
_GOLDEN = (math.sqrt(5) - 1) / 2
# Seconds of a visit, and of a run beside the migration itself; and those of
# a migration that does end, as long as none of the kind was seen.
_VISIT_S = 12.0
_RUN_S = 4.0
_MIGRATION_S = 8.0


@dataclasses.dataclass(frozen=True)
class Visit:
    """One server that is booted, and moved in several ways.

    :param modes: names, in the order of the runs
    """

    guest: str
    number: int
    modes: tuple[str, ...]

    def keys(self) -> list[Key]:
        return [(self.guest, mode, self.number) for mode in self.modes]


def visits(guest_names: Sequence[str], mode_names: Collection[str],
           rounds: int, done: Collection[Key] = ()) -> list[Visit]:
    """Return the visits of all rounds, without the runs that are done.

    The order of the modes alternates. Those that need a nova.conf of their
    own come together, and meet those of the next visit: that saves half of
    the restarts.
    """
    chosen = [mode for mode in modes.MODES.values()
              if mode.name in mode_names]
    plain = [mode.name for mode in chosen if not mode.options]
    special = [mode.name for mode in chosen if mode.options]
    found = []
    for turn, (number, guest) in enumerate(itertools.product(
            range(1, rounds + 1), guest_names)):
        halves = [plain, special]
        if turn % 2:
            halves.reverse()
        if turn // 2 % 2:
            halves = [half[::-1] for half in halves]
        found.append(Visit(guest, number, tuple(itertools.chain(*halves))))
    left = [dataclasses.replace(visit, modes=tuple(
        mode for mode in visit.modes
        if (visit.guest, mode, visit.number) not in done))
        for visit in found]
    return [visit for visit in left if visit.modes]


def phase(guest: guests.Guest, number: int, seed: int) -> int:
    """Return at which work (bytes) of its cycle a guest is asked to move.

    The same in all modes of a round: the same work, side by side. Rounds lie
    far apart in the cycle, so that few of them are enough to see all of it.
    """
    first = random.Random('%s %d' % (guest.name, seed)).random()
    return int(guest.cycle * ((first + number * _GOLDEN) % 1))


def needed_options(visit: Visit, mode: str, source: str, destination: str,
                   there: Mapping[str, Mapping]) -> dict[str, dict] | None:
    """Say which options of ``[libvirt]`` the hosts need for a run.

    :param there: the options that each host has now
    :returns: by host; None: those that are there will do
    """
    wanted = modes.MODES[mode].options
    if wanted is None or there[source] == wanted:
        return None
    # What comes next starts from the other host, and shall find what it
    # needs.
    after = itertools.islice(
        visit.modes, visit.modes.index(mode) + 1, None)
    follows = next((options for name in after if (
        options := modes.MODES[name].options) is not None), {})
    return {source: dict(wanted), destination: dict(follows)}


def first_host(visit: Visit, hosts: Sequence[str],
               there: Mapping[str, Mapping]) -> str:
    """Return the host to boot on: one that needs no restart, if there is."""
    wanted = modes.MODES[visit.modes[0]].options
    fit = [host for host in hosts if there[host] == wanted] or hosts
    return fit[visit.number % len(fit)]


def seconds_left(left: Sequence[Visit],
                 seen: Mapping[tuple[str, str], Sequence[float]]) -> float:
    """Estimate how long visits take.

    :param seen: durations of migrations (s), by guest and mode
    """
    total = 0.0
    for visit in left:
        total += _VISIT_S
        for name in visit.modes:
            durations = seen.get((visit.guest, name))
            total += _RUN_S + (
                statistics.median(durations) if durations
                else modes.MODES[name].limit or _MIGRATION_S)
    return total
