# SPDX-License-Identifier: Apache-2.0

"""The record of one run of the demo: what was seen, and when.

The demo returns one, on the real lab and on simulated hosts. The table,
``demo.json`` (both here) and ``demo.png`` (:mod:`.picture`) show nothing else.
Times are seconds on one monotonic clock that the writer chooses, amounts are
bytes.
"""

import dataclasses
import itertools
import json
import pathlib
from typing import Any

from lab import output


# The events of an attempt, in the order in which they can come.
REQUESTED = 'requested'              # the user asks for a live migration
RUNNING = 'running'                  # QEMU has begun to copy memory
ABORTED = 'aborted'                  # the user asked to end it
SWITCHED = 'switched'                # the guest was suspended on the source
MEMORY_COMPLETE = 'memory complete'  # no page is left on the source
CANCELLED = 'cancelled'              # Nova says: ended, and not there
COMPLETED = 'completed'              # Nova says: ended, on the destination


@dataclasses.dataclass(frozen=True)
class Sample:
    """One heartbeat of the guest."""

    time: float
    work: int    #: bytes of memory that it checked and wrote since its boot


@dataclasses.dataclass(frozen=True)
class Event:
    time: float
    name: str    #: one of the names above


@dataclasses.dataclass(frozen=True)
class Check:
    """One sentence of the proof, and whether it holds."""

    name: str
    passed: bool
    sentence: str


@dataclasses.dataclass
class Attempt:
    """One live migration, from the request to its end."""

    request: str                 #: as typed: ``nova live-migration ...``
    post_copy: bool
    events: list[Event] = dataclasses.field(default_factory=list)
    transferred: int = 0         #: bytes that went over the wire
    passes: int = 0              #: complete passes over memory in pre-copy

    def note(self, name: str, moment: float) -> None:
        """Add an event."""
        self.events.append(Event(moment, name))

    def at(self, name: str) -> float | None:
        """Return when an event first came (s); None: it did not come."""
        return min((e.time for e in self.events if e.name == name),
                   default=None)

    def after(self, name: str, since: str = REQUESTED) -> float | None:
        """Return the seconds between two events; None unless both came."""
        begin, end = self.at(since), self.at(name)
        return None if begin is None or end is None else end - begin

    @property
    def result(self) -> str:
        """End of the attempt: 'completed', 'aborted' or 'failed'."""
        if self.at(COMPLETED) is not None:
            return 'completed'
        return 'failed' if self.at(ABORTED) is None else 'aborted'

    @property
    def begin(self) -> float:
        return min(event.time for event in self.events)

    @property
    def end(self) -> float:
        return max(event.time for event in self.events)


@dataclasses.dataclass
class Record:
    """One run: a pre-copy attempt, a post-copy attempt and the proof."""

    simulated: bool              #: the hosts are; it must be said everywhere
    server: str                  #: uuid
    source: str                  #: host name
    destination: str             #: host name
    memory: int                  #: bytes of the guest's RAM
    working_set: int             #: bytes that it writes over and over
    bandwidth: int               #: bytes/s between the hosts
    samples: list[Sample] = dataclasses.field(default_factory=list)
    attempts: list[Attempt] = dataclasses.field(default_factory=list)
    checks: list[Check] = dataclasses.field(default_factory=list)
    wrong_pages: int = 0         #: pages that were not what the guest wrote
    slowness: float = 1.0        #: of the machine, by which limits were longer

    @property
    def passed(self) -> bool:
        """Whether there is a proof and every part of it holds."""
        return bool(self.checks) and all(c.passed for c in self.checks)

    @property
    def ideal(self) -> float:
        """Seconds that one copy of the guest's RAM takes on this link."""
        return self.memory / self.bandwidth

    def longest_silence(self, attempt: Attempt) -> float | None:
        """Return the longest time without a heartbeat during an attempt.

        :returns: seconds; None when the guest was not heard at all
        """
        return max((later.time - sooner.time
                    for sooner, later in itertools.pairwise(self.samples)
                    if later.time > attempt.begin
                    and sooner.time < attempt.end), default=None)

    def figures(self, attempt: Attempt) -> dict[str, Any]:
        """Return the figures of one attempt, for table and ``demo.json``.

        A figure of something that did not happen is None.
        """
        total = attempt.after(COMPLETED)
        return {
            'request': attempt.request,
            'post_copy': attempt.post_copy,
            'result': attempt.result,
            'seconds': attempt.end - attempt.begin,
            'total_seconds': total,
            'time_to_switch_seconds': attempt.after(SWITCHED),
            'memory_complete_seconds': attempt.after(MEMORY_COMPLETE),
            'longest_silence_seconds': self.longest_silence(attempt),
            'transferred_bytes': attempt.transferred,
            'transferred_to_ram': attempt.transferred / self.memory,
            'total_to_ideal': total and total / self.ideal,
            'passes': attempt.passes,
        }

    def table(self) -> str:
        """Lay the figures of the attempts out side by side, as text."""
        figures = [self.figures(attempt) for attempt in self.attempts]
        heads = ['', *('post-copy' if attempt.post_copy else 'pre-copy'
                       for attempt in self.attempts)]
        return output.columns([heads, *(
            [title, *(form.format(f[key]) if f[key] is not None else '-'
                      for f in figures)]
            for title, key, form in ROWS)], align='>')

    def to_json(self) -> str:
        """Return the record as JSON, with heartbeats thinned out."""
        return json.dumps({
            'simulated': self.simulated,
            'hosts': ('simulated (fake libvirt and a model of a migrating '
                      'guest)' if self.simulated else 'libvirt and QEMU'),
            'server': self.server,
            'source': self.source,
            'destination': self.destination,
            'memory_bytes': self.memory,
            'working_set_bytes': self.working_set,
            'bandwidth_bytes_per_second': self.bandwidth,
            'ideal_seconds': self.ideal,
            'wrong_pages': self.wrong_pages,
            'slowness': self.slowness,
            'passed': self.passed,
            'attempts': [
                dict(self.figures(attempt),
                     events=[dataclasses.asdict(e) for e in attempt.events])
                for attempt in self.attempts],
            'proof': [dataclasses.asdict(check) for check in self.checks],
            'heartbeat': [[round(sample.time, 3), sample.work]
                          for sample in thinned(self.samples, 0.1)],
        }, indent=1) + '\n'

    def save(self, folder: pathlib.Path) -> pathlib.Path:
        """Write ``demo.json``.

        :returns: its path
        """
        path = folder / 'demo.json'
        path.write_text(self.to_json())
        return path


# Of the table: what the reader sees, the figure's name, how it is printed.
ROWS = (
    ('result', 'result', '{}'),
    ('total', 'total_seconds', '{:.1f} s'),
    ('total / (RAM / bandwidth)', 'total_to_ideal', '{:.1f}'),
    ('time to switch', 'time_to_switch_seconds', '{:.1f} s'),
    ('memory complete', 'memory_complete_seconds', '{:.1f} s'),
    ('longest silence of the guest', 'longest_silence_seconds', '{:.2f} s'),
    ('moved / RAM', 'transferred_to_ram', '{:.1f}'),
    ('passes of pre-copy', 'passes', '{}'),
)


def thinned(samples: list[Sample], interval: float) -> list[Sample]:
    """Keep the first heartbeat of each interval (s)."""
    return [next(group) for _, group in itertools.groupby(
        samples, key=lambda sample: int(sample.time / interval))]
