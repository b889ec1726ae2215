# SPDX-License-Identifier: Apache-2.0

"""The simulated hosts: their guests, their link and what runs where.

libvirt's interface is elsewhere (:mod:`.libvirtd`). Here are the guests, the
record of where each one ran, by which tests check that no guest ever ran
twice, and the faults: network, streams and QEMU processes.
"""

from collections.abc import Callable
import dataclasses
import threading
import time

from lab.simulation import disks
from lab.simulation import guest
from lab.simulation import model
from lab.simulation import timing
from lab.simulation import workload


@dataclasses.dataclass(frozen=True)
class Change:
    """A guest began or ceased to run on a host."""

    time: float
    server: str    #: uuid
    host: str
    running: bool  #: whether its virtual CPUs run


@dataclasses.dataclass(frozen=True)
class Destroyed:
    """A client had a guest's QEMU on one host killed."""

    server: str     #: uuid
    host: str
    phase: guest.Phase | None   #: of its migration, if there was one


@dataclasses.dataclass(frozen=True)
class Violation:
    """Something was taken from a guest that needed it, or written twice."""

    time: float
    what: str

    def __str__(self) -> str:
        return '%.2f s: %s' % (self.time, self.what)


@dataclasses.dataclass(frozen=True)
class Move:
    """One migration, as the libvirt of its source sees it."""

    server: str       #: uuid
    source: str       #: host name
    destination: str  #: host name
    flags: int        #: virDomainMigrateFlags
    migration: model.Migration
    events: list[guest.Event] = dataclasses.field(default_factory=list)

    def at(self, what: guest.Happening) -> float | None:
        """Return when something first happened (s); None: it did not."""
        return next((event.time for event in self.events
                     if event.what is what), None)


class Hosts:
    """All simulated hosts of one cloud."""

    def __init__(self, bandwidth: float, speed: float = 1.0,
                 **link):
        """Prepare an empty cloud.

        :param bandwidth: bytes/s between any two hosts
        :param speed: simulated seconds in one real second
        :param link: further values of :class:`lab.simulation.guest.Link`
        """
        self.clock = timing.Clock(speed)
        self.link = guest.Link(bandwidth, **link)
        self.daemons: dict = {}  #: host name to its libvirtd
        self.changes: list[Change] = []
        self.moves: list[Move] = []
        self.destroyed: list[Destroyed] = []
        self.violations: list[Violation] = []
        self.disks = disks.Disks(self)
        self.closed = False
        #: the clock stops as soon as one of these happens
        self.stop_at: set[guest.Happening] = set()
        #: since when the network between the hosts carries nothing
        self.cut_at: float | None = None
        #: for all that changes the hosts
        self.lock = threading.RLock()
        self._workloads: dict[str, workload.Workload] = {}
        self._jobs: list = []
        self._ticker: threading.Thread | None = None

    def add_job(self, job, move: Move) -> None:
        """Add a migration, which advances with the clock."""
        self._jobs.append(job)
        self.moves.append(move)
        if self._ticker is None:
            self._ticker = threading.Thread(
                target=self._tick_on, daemon=True, name='simulated time')
            self._ticker.start()

    def remove_job(self, job) -> None:
        self._jobs.remove(job)

    def tick(self) -> None:
        """Advance each migration to the present time."""
        with self.lock:
            for job in list(self._jobs):
                job.catch_up(self.clock.now())

    def _tick_on(self) -> None:
        while not self.closed:
            self.tick()
            time.sleep(timing.TICK_S)

    # Faults

    @property
    def is_cut(self) -> bool:
        return self.cut_at is not None

    def cut(self) -> None:
        """Drop all packets of the migration network; streams are kept."""
        with self.lock:
            self.tick()
            if not self.is_cut:
                self.cut_at = self.clock.now()
                for job in list(self._jobs):
                    job.network_cut()

    def heal(self) -> None:
        """Let the migration network carry packets again."""
        with self.lock:
            self.tick()
            if self.is_cut:
                goes_on_at = timing.next_retransmission(
                    self.cut_at, self.clock.now())
                self.cut_at = None
                for job in list(self._jobs):
                    job.network_healed(goes_on_at)

    def break_streams(self) -> None:
        """Close each migration stream, on both ends."""
        with self.lock:
            self.tick()
            for job in list(self._jobs):
                job.interrupt(everywhere=True)

    def break_incoming(self, server: str) -> int:
        """Close the dead incoming migration connections of a server.

        :returns: how many there were
        """
        with self.lock:
            self.tick()
            return sum(job.break_incoming() for job in list(self._jobs)
                       if job.target.UUIDString() == server)

    def kill_qemu(self, host: str, server: str) -> None:
        """Kill the QEMU of a server on one host.

        :raises KeyError: there is none
        """
        with self.lock:
            self.tick()
            domain = self.domains(server)[host]
            if not domain.isActive():
                raise KeyError(host)
            domain.crash()

    def let_guest(self, server: str, act: Callable) -> None:
        """Let a guest do something by itself, wherever it runs.

        :param act: a method of its domain: ``DomainObject.power_off``,
            ``restart_guest`` or ``stand_still``
        :raises RuntimeError: its CPUs do not run
        """
        with self.lock:
            self.tick()
            for domain in self.domains(server).values():
                if domain.is_the_guest and domain.runs:
                    act(domain)
                    return
        raise RuntimeError('the guest does not run')

    def make_busy(self, server: str, working_set: int,
                  dirty_rate: float) -> None:
        """Make a server dirty its memory from now on.

        :param server: uuid
        :param working_set: bytes that it writes over and over
        :param dirty_rate: bytes/s
        :raises KeyError: when no host has it
        """
        self._workloads[server] = workload.Workload(
            self.clock, self._memory(server), working_set, dirty_rate)

    def workload(self, server: str) -> workload.Workload:
        """Return the work of a server; it is idle until it is made busy.

        :raises KeyError: when no host has it
        """
        if server not in self._workloads:
            self.make_busy(server, 0, 0.0)
        return self._workloads[server]

    def domains(self, server: str) -> dict:
        """Map the hosts that know a server to their domain of it."""
        with self.lock:
            return {host: domain
                    for host, daemon in self.daemons.items()
                    for domain in daemon.listAllDomains(disks.ALL)
                    if domain.UUIDString() == server}

    def violate(self, what: str) -> None:
        """Note that a promise of the storage was broken."""
        self.violations.append(Violation(self.clock.now(), what))

    def _memory(self, server: str) -> int:
        for domain in self.domains(server).values():
            return domain.maxMemory() * 1024  # libvirt counts KiB
        raise KeyError(server)

    def note(self, domain, running: bool) -> None:
        """Note that the CPUs of a domain run from now on, or do not."""
        server, host = domain.UUIDString(), domain.daemon.hostname
        self.changes.append(Change(self.clock.now(), server, host, running))
        if running:
            self.disks.check_writers(domain)

    def running_on(self, server: str) -> set[str]:
        """Return the names of the hosts on which a server's CPUs run."""
        hosts: set[str] = set()
        for _, hosts in self._history(server):
            pass
        return hosts

    def ran_twice(self, server: str) -> list[tuple[float, set[str]]]:
        """Return when a server ran on more than one host, and on which."""
        return [(when, hosts) for when, hosts in self._history(server)
                if len(hosts) > 1]

    def _history(self, server: str):
        hosts: set[str] = set()
        for change in list(self.changes):
            if change.server == server:
                hosts = (hosts | {change.host} if change.running
                         else hosts - {change.host})
                yield change.time, hosts

    def close(self) -> None:
        """End every migration and the event threads of all hosts."""
        self.closed = True
        for daemon in self.daemons.values():
            daemon.stop_events()
