# SPDX-License-Identifier: Apache-2.0

"""All that is seen of one case. Times are seconds of one monotonic clock."""

import dataclasses
import itertools

from lab.faults.case import Case
from lab.faults.case import Fault
from lab.instruments import record


@dataclasses.dataclass
class Entry:
    """One line of what happened."""

    time: float
    who: str
    what: str


@dataclasses.dataclass
class Injection:
    """One fault, as it was injected.

    :param hit: whether the migration was in the phase meant for it
    :param answer: status code and text of a user's request
    """

    fault: Fault
    begin: float
    hit: bool
    end: float | None = None
    answer: tuple[int, str] | None = None


@dataclasses.dataclass
class Volume:
    """A volume of the server, at the end.

    :param status: in Cinder; None: there is no such volume
    :param attachments: the host of each; '' where Cinder knows none
    :param opened: hosts that have its image open; None: there is no image
    """

    status: str | None
    attachments: list[str]
    opened: list[str] | None


@dataclasses.dataclass
class Final:
    """Hosts and records at the end; dicts are by host name.

    :param server: as in GET /servers/{id}; None when there is none
    :param migration: as in GET /os-migrations; None when there is none
    :param allocations: resources of the server
    :param migration_allocations: resources of the migration
    :param domains: libvirt's state, as in :mod:`lab.faults.view`
    :param processes: number of QEMU processes with the server's uuid
    :param disks: hosts that have a directory of the server
    :param durable: hosts that have a durable record of the migration
    :param bindings: status of each port binding; None without a port
    :param shared: whether that directory is one for all hosts
    :param images: hosts that have each image of the server open; None: its
        disks are files
    :param volumes: by their ids
    """

    server: dict | None
    migration: dict | None
    allocations: dict[str, dict]
    migration_allocations: dict[str, dict]
    domains: dict[str, str]
    processes: dict[str, int]
    disks: list[str]
    durable: list[str]
    bindings: dict[str, str] | None
    shared: bool = False
    images: dict[str, list[str]] | None = None
    volumes: dict[str, Volume] = dataclasses.field(default_factory=dict)

    def summary(self) -> str:
        """Say in some words what Nova's records are."""
        migration = (self.migration or {}).get('status', 'none')
        if self.server is None:
            return 'deleted, migration %s' % migration
        return '%s on %s, migration %s' % (
            self.server['status'],
            self.server['OS-EXT-SRV-ATTR:host'], migration)


@dataclasses.dataclass
class Observation:
    """One case, as it went.

    :param twice: moments in which two copies were running, in words
    :param removed: images that were gone while a QEMU of the server ran, in
        words
    :param shown: statuses of the server that Nova has shown
    :param missing: processes of the cloud that are gone and should not be
    :param slowness: of the machine: how many times longer limits are
    :param settled: when everything was found to be right; None: never
    """

    case: Case
    seed: int
    source: str
    destination: str
    server: str = ''
    requested: float = 0.0
    ended: float = 0.0
    settled: float | None = None
    timeline: list[Entry] = dataclasses.field(default_factory=list)
    injections: list[Injection] = dataclasses.field(default_factory=list)
    samples: list[record.Sample] = dataclasses.field(default_factory=list)
    wrong_pages: int = 0
    setbacks: int = 0
    twice: list[str] = dataclasses.field(default_factory=list)
    removed: list[str] = dataclasses.field(default_factory=list)
    shown: set[str] = dataclasses.field(default_factory=set)
    missing: list[str] = dataclasses.field(default_factory=list)
    final: Final | None = None
    slowness: float = 1.0

    def note(self, time: float, who: str, what: str) -> None:
        self.timeline.append(Entry(time, who, what))

    def missed(self) -> list[Injection]:
        """Return what came at another moment than it was meant for."""
        return [found for found in self.injections if not found.hit]

    def cuts(self) -> list[tuple[float, float]]:
        """Return begin and end of each time in which the network was cut."""
        merged: list[tuple[float, float]] = []
        for begin, end in sorted(
                (injection.begin,
                 self.ended if injection.end is None else injection.end)
                for injection in self.injections
                if injection.fault.cuts_network):
            if merged and begin <= merged[-1][1]:
                begin, before = merged.pop()
                end = max(end, before)
            merged.append((begin, end))
        return merged

    def healed(self) -> float | None:
        """Return when the last fault was over; None: there was none."""
        return max((injection.begin if injection.end is None
                    else injection.end for injection in self.injections),
                   default=None)

    def recovery(self) -> float | None:
        """Seconds from the end of the last fault to the right end."""
        healed = self.healed()
        if healed is None or self.settled is None:
            return None
        return max(0.0, self.settled - healed)

    def silences(self) -> list[tuple[float, float]]:
        """Return begin and end of each silence of the guest, in the case."""
        moments = [sample.time for sample in self.samples
                   if sample.time <= self.ended]
        return [(max(sooner, self.requested), later) for sooner, later in
                itertools.pairwise([*moments, self.ended])
                if later > self.requested]

    def blackout(self) -> float | None:
        """Longest silence of the guest; None: it was never heard."""
        return max((end - begin for begin, end in self.silences()),
                   default=None) if self.samples else None

    def blackout_beyond_cuts(self) -> float | None:
        """Longest silence, without the time in which the network was cut."""
        cuts = self.cuts()
        return max(
            (end - begin - sum(
                max(0.0, min(end, cut_end) - max(begin, cut_begin))
                for cut_begin, cut_end in cuts)
             for begin, end in self.silences()),
            default=None) if self.samples else None
