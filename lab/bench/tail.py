# SPDX-License-Identifier: Apache-2.0

"""Where the time goes between the last page and ``completed``.

Read from what nova-compute logs on both hosts, which share a clock. Some
lines are upstream's: they are the same whoever watched the migration.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
import datetime
import pathlib
import re
import typing

# What is logged of a server, in the order in which it happens.
_ARRIVED = 'VM Resumed (Lifecycle Event)'           # on the destination
_OURS = 'Live migration completed: '                # on the source
_NOTICED = '_post_live_migration() is started'      # on the source
_TAKEN_OVER = 'Post operation of migration started'     # on the destination
_COMPLETED = 'finished successfully.'               # on the source
_LINE = re.compile(
    r'(?P<time>\S+ \S+) \d+ INFO .*\[instance: (?P<uuid>[0-9a-f-]{36})\] '
    r'(?P<words>.*)')


class Tail(typing.NamedTuple):
    """One migration; seconds."""

    ours: bool              #: our monitor watched it, or upstream's
    noticed: float          #: until the source knows that it is over
    handed_over: float      #: until the destination takes the server over
    completed: float        #: until the record says so


class _Entry(typing.NamedTuple):
    time: float
    host: str
    uuid: str
    words: str


def read(logs: Mapping[str, pathlib.Path]) -> list[Tail]:
    """Read the logs of nova-compute, by host."""
    entries = []
    for host, path in logs.items():
        with path.open(errors='replace') as lines:
            entries += _entries(host, lines)
    return list(tails(sorted(entries)))


def _entries(host: str, lines: Iterable[str]) -> Iterator[_Entry]:
    for line in lines:
        if found := _LINE.match(line):
            yield _Entry(
                datetime.datetime.fromisoformat(found['time']).timestamp(),
                host, found['uuid'], found['words'])


def tails(entries: Sequence[_Entry]) -> Iterator[Tail]:
    """Find the migrations in what was logged, in order.

    One of which a step was not logged in its order is left out.
    """
    steps: dict[str, dict[str, _Entry]] = {}
    for entry in entries:
        seen = steps.setdefault(entry.uuid, {})
        step = next((step for step in (_ARRIVED, _OURS, _NOTICED, _TAKEN_OVER,
                                       _COMPLETED) if step in entry.words),
                    None)
        if step is _COMPLETED:
            if tail := _tail({**seen, step: entry}):
                yield tail
            seen.clear()
        elif step is not None:
            seen[step] = entry


def _tail(steps: Mapping[str, _Entry]) -> Tail | None:
    ordered = [steps.get(step) for step in (
        _ARRIVED, _NOTICED, _TAKEN_OVER, _COMPLETED)]
    if None in ordered:
        return None
    arrived, noticed, taken_over, completed = ordered
    if (arrived.host, noticed.host) != (taken_over.host, completed.host):
        return None
    lengths = [after.time - before.time
               for before, after in zip(ordered, ordered[1:])]
    return Tail(_OURS in steps, *lengths) if min(lengths) >= 0 else None
