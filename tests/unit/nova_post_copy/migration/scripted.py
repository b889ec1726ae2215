# SPDX-License-Identifier: Apache-2.0

"""A source host that does what a test says, in seconds that cost nothing."""

import collections
import heapq
import itertools

import fixtures
import futurist
from nova.virt.libvirt import guest as libvirt_guest

from lab.simulation import names
from lab.simulation import replacing

MIB = 1 << 20

RUNNING = (names.VIR_DOMAIN_RUNNING, names.VIR_DOMAIN_RUNNING_BOOTED)
PAUSED = (names.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_USER)
MIGRATING = (names.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_MIGRATION)
POST_COPY = (names.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_POSTCOPY)
BROKEN = (names.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED)
SHUTTING_DOWN = (names.VIR_DOMAIN_SHUTDOWN, 0)
MIGRATED = (names.VIR_DOMAIN_SHUTOFF, names.VIR_DOMAIN_SHUTOFF_MIGRATED)
DESTROYED = (names.VIR_DOMAIN_SHUTOFF, names.VIR_DOMAIN_SHUTOFF_DESTROYED)
POWERED_OFF = (names.VIR_DOMAIN_SHUTOFF, names.VIR_DOMAIN_SHUTOFF_SHUTDOWN)
CRASHED = (names.VIR_DOMAIN_SHUTOFF, names.VIR_DOMAIN_SHUTOFF_CRASHED)

libvirt_error = names.failed


def no_domain() -> names.fake.libvirtError:
    return names.error(names.VIR_ERR_NO_DOMAIN, 'Domain not found')


def aborted() -> names.fake.libvirtError:
    return names.error(names.VIR_ERR_OPERATION_ABORTED,
                       'operation aborted: migration out: canceled by client')


def copying(iteration: int = 1, remaining: int = 400 * MIB) -> dict:
    """What libvirt says of a job that copies memory."""
    return {'type': names.VIR_DOMAIN_JOB_UNBOUNDED,
            'memory_iteration': iteration, 'memory_total': 512 * MIB,
            'memory_processed': 512 * MIB * iteration - remaining,
            'memory_remaining': remaining, 'memory_bps': 200 * MIB}


class Names(replacing.Libvirt):
    """libvirt's names, also where its Python binding is not installed."""

    def __init__(self) -> None:
        super().__init__(names)


class Clock(fixtures.Fixture):
    """Takes the place of :mod:`time`: seconds pass when somebody waits.

    A loop that nothing ends fails, instead of going on for ever.
    """

    LIMIT = 1000.0

    def _setUp(self) -> None:
        self.now = 0.0
        self._order = itertools.count()
        self._due: list = []
        for name in ('migration.following', 'migration.interruption',
                     'migration.summary', 'migration.arrival',
                     'migration.cut_over'):
            self.useFixture(fixtures.MonkeyPatch(
                'nova_post_copy.%s.time' % name, self))

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float, until=lambda: False) -> None:
        """Let the time pass, or some of it.

        :param until: tells whether that was enough
        """
        end = self.now + seconds
        while self._due and self._due[0][0] <= end and not until():
            self.now, _order, function = heapq.heappop(self._due)
            function()
        if not until():
            self.now = end
        if self.now > self.LIMIT:
            raise AssertionError('it does not end')

    def at(self, second: float, function) -> None:
        """Call a function when this second has come."""
        heapq.heappush(self._due, (second, next(self._order), function))


class Signals:
    """What wakes a monitor, on the clock of a test."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._happened = False
        self._boundary = (0, 0.0)
        self.completed = None

    def wake(self, *_ignored) -> None:
        self._happened = True

    def wait(self, timeout: float) -> None:
        self._clock.sleep(timeout, until=lambda: self._happened)
        self._happened = False

    def at_boundary(self, iteration: int) -> None:
        self._boundary = (iteration, self._clock.now)
        self.wake()

    def since_boundary(self, iteration: int) -> float:
        told, at = self._boundary
        return self._clock.now - at if told == iteration else 0.0


class Source:
    """libvirt on the source, with the one guest that is on its way.

    Nova's Host, libvirt's virConnect and its virDomain in one.
    """

    _uri = 'qemu:///system'

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.domain_state = RUNNING
        self.job: dict = {}
        #: whether the stream moves while the job is the same
        self.flows = False
        self.dirty_rate: dict = {}
        self.memory: dict = {}
        self.xml = '<domain/>'
        #: what Nova waits for while libvirt migrates
        self.operation = futurist.Future()
        #: by name of a method: what it raises, one after the other
        self.errors = collections.defaultdict(collections.deque)
        #: by name of a method: what comes of it
        self.effects: dict = {}
        #: what libvirt was asked to do, in order
        self.asked: list = []

    def at(self, second: float, state: tuple | None = None,
           job: dict | None = None) -> None:
        """Let state and job be these from a second on."""
        self.clock.at(second, lambda: self.become(state, job))

    def become(self, state: tuple | None = None,
               job: dict | None = None) -> None:
        self.domain_state = self.domain_state if state is None else state
        self.job = self.job if job is None else job

    def ends(self, second: float, error: Exception | None = None,
             state: tuple | None = None) -> None:
        """Let libvirt's operation end, and its job."""
        def end():
            self.become(state, {})
            self.operation.set_result(error)
        self.clock.at(second, end)

    def count(self, name: str) -> int:
        return sum(name == asked for asked, *_args in self.asked)

    # nova.virt.libvirt.host.Host

    def get_guest(self, instance) -> libvirt_guest.Guest:
        self._raise('get_guest')
        return libvirt_guest.Guest(self)

    def _connect(self, uri: str, read_only: bool) -> 'Source':
        self._raise('_connect')
        return self

    def get_connection(self) -> 'Source':
        self._raise('get_connection')
        return self

    # libvirt.virConnect

    def domainListGetStats(self, doms: list, stats: int = 0,
                           flags: int = 0) -> list:
        self._raise('domainListGetStats')
        return [(domain, self.dirty_rate) for domain in doms]

    def lookupByUUIDString(self, uuidstr: str) -> 'Source':
        self._raise('lookupByUUIDString')
        return self

    # libvirt.virDomain

    def state(self, flags: int = 0) -> list[int]:
        self._raise('state')
        return list(self.domain_state)

    def jobStats(self, flags: int = 0) -> dict:
        self._raise('jobStats')
        # Nova's fake, too, says at least that there is no job.
        stats = {'type': names.VIR_DOMAIN_JOB_NONE, 'time_elapsed':
                 int(self.clock.now * 1000)} | self.job
        if self.flows and 'memory_processed' in stats:
            stats['memory_processed'] += int(self.clock.now * MIB)
        return stats

    def XMLDesc(self, flags: int = 0) -> str:
        self._raise('XMLDesc')
        return self.xml

    def memoryStats(self) -> dict:
        self._raise('memoryStats')
        return self.memory

    def startDirtyRateCalc(self, seconds: int, flags: int = 0) -> None:
        self._ask('startDirtyRateCalc', seconds, flags)

    def abortJob(self) -> None:
        self._ask('abortJob')

    def migrateSetMaxDowntime(self, downtime: int, flags: int = 0) -> None:
        self._ask('migrateSetMaxDowntime', downtime)

    def migrateStartPostCopy(self, flags: int = 0) -> None:
        self._ask('migrateStartPostCopy')

    def abortJobFlags(self, flags: int = 0) -> None:
        self._ask('abortJobFlags', flags)

    def resume(self) -> None:
        self._ask('resume')

    def destroy(self) -> None:
        self._ask('destroy')

    def migrateToURI3(self, dconnuri: str, params: dict,
                      flags: int = 0) -> None:
        self._ask('migrateToURI3', dconnuri, params, flags)

    def _raise(self, name: str) -> None:
        if self.errors[name]:
            raise self.errors[name].popleft()

    def _ask(self, name: str, *args) -> None:
        self._raise(name)
        self.asked.append((name, *args))
        self.effects.get(name, lambda: None)()
