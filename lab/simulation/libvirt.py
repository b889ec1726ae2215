# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.


"""What Nova sees of a simulated host: upstream's fake libvirt, which migrates.

Takes the place of the ``libvirt`` module in Nova's driver. Everything that is
not here is upstream's fake; what is here is what a live migration needs of
libvirt: both ends of a domain, its job, events and refusals. Error messages
are those of libvirt 9.0, since they reach operators through Nova.
"""

import queue
import threading
import time
from urllib import parse

from oslo_log import log as logging

from nova.tests.fixtures import libvirt as fake

from lab.simulation import guest
from lab.simulation import hosts

# What upstream's fake does not name, with libvirt's own values.
VIR_DOMAIN_RUNNING_BOOTED = 1
VIR_DOMAIN_RUNNING_MIGRATED = 2
VIR_DOMAIN_RUNNING_UNPAUSED = 5
VIR_DOMAIN_RUNNING_MIGRATION_CANCELED = 6
VIR_DOMAIN_RUNNING_POSTCOPY = 10
VIR_DOMAIN_PAUSED_USER = 1
VIR_DOMAIN_PAUSED_MIGRATION = 2
VIR_DOMAIN_PAUSED_POSTCOPY = 12
VIR_DOMAIN_SHUTOFF_UNKNOWN = 0
VIR_DOMAIN_SHUTOFF_DESTROYED = 2
VIR_DOMAIN_SHUTOFF_MIGRATED = 4

VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION = 20
VIR_DOMAIN_EVENT_STARTED_MIGRATED = 1
VIR_DOMAIN_EVENT_SUSPENDED_PAUSED = 0
VIR_DOMAIN_EVENT_RESUMED_UNPAUSED = 0
VIR_DOMAIN_EVENT_RESUMED_MIGRATED = 1
VIR_DOMAIN_EVENT_RESUMED_POSTCOPY = 3
VIR_DOMAIN_EVENT_STOPPED_MIGRATED = 3
VIR_DOMAIN_EVENT_STOPPED_FAILED = 5

VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT = 5
VIR_ERR_OPERATION_ABORTED = 78

LOG = logging.getLogger(__name__)

# Real seconds: how often a running job looks at the clock, and how long a
# switch waits for whoever handles its event.
TICK = 0.005
DELIVERY = 1.0


def __getattr__(name: str):
    return getattr(fake, name)


def error(code: int, message: str) -> fake.libvirtError:
    return fake.make_libvirtError(
        fake.libvirtError, message, error_code=code, error_message=message,
        error_domain=fake.VIR_FROM_QEMU)


class Domain(fake.Domain):
    """A domain that can migrate."""

    def __init__(self, connection, xml, transient=False):
        self._job: Job | None = None
        self._reason = VIR_DOMAIN_SHUTOFF_UNKNOWN
        self._current = fake.VIR_DOMAIN_SHUTOFF
        super().__init__(connection, xml, transient=transient)

    @property
    def _state(self) -> int:
        return self._current

    @_state.setter
    def _state(self, state: int) -> None:
        # Upstream's methods assign it; here each change is also written down.
        ran = self._current == fake.VIR_DOMAIN_RUNNING
        runs = state == fake.VIR_DOMAIN_RUNNING
        self._current = state
        if runs != ran:
            self._connection.hosts.note(
                self.UUIDString(), self._connection.hostname, runs)

    def become(self, state: int, reason: int) -> None:
        self._state, self._reason = state, reason

    def state(self, flags: int = 0) -> list[int]:
        self._assert_exists()
        return [self._state, self._reason]

    def info(self):
        self._assert_exists()
        return super().info()

    def isActive(self) -> int:
        self._assert_exists()
        return int(self._state in (fake.VIR_DOMAIN_RUNNING,
                                   fake.VIR_DOMAIN_PAUSED))

    def isPersistent(self) -> int:
        return int(not self._transient)

    def createWithFlags(self, flags):
        super().createWithFlags(flags)
        self._reason = VIR_DOMAIN_RUNNING_BOOTED

    def suspend(self):
        if self._job is not None:
            self._job.pause_guest(True)
        self.become(fake.VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_USER)
        self._connection._emit_lifecycle(
            self, fake.VIR_DOMAIN_EVENT_SUSPENDED,
            VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)

    def resume(self):
        if self._job is not None:
            self._job.pause_guest(False)
        self.become(fake.VIR_DOMAIN_RUNNING, VIR_DOMAIN_RUNNING_UNPAUSED)
        self._connection._emit_lifecycle(
            self, fake.VIR_DOMAIN_EVENT_RESUMED,
            VIR_DOMAIN_EVENT_RESUMED_UNPAUSED)

    def destroy(self):
        super().destroy()
        self._reason = VIR_DOMAIN_SHUTOFF_DESTROYED

    def migrateToURI3(self, dconnuri, params, flags):
        self._assert_exists()
        paused = self._state == fake.VIR_DOMAIN_PAUSED
        if flags & fake.VIR_MIGRATE_POSTCOPY:
            if paused:
                raise error(
                    fake.VIR_ERR_OPERATION_UNSUPPORTED,
                    'post-copy migration is not supported with non-live or '
                    'paused migration')
            if flags & fake.VIR_MIGRATE_TUNNELLED:
                raise error(
                    fake.VIR_ERR_OPERATION_UNSUPPORTED,
                    'post-copy is not supported with tunnelled migration')
        target = self._connection.peer(dconnuri).receive(
            params['destination_xml'], flags)
        job = self._job = Job(self, target, flags, paused)
        try:
            job.run()
        finally:
            self._job = None

    def migrateStartPostCopy(self, flags: int = 0) -> int:
        job = self._outgoing_migration(
            'post-copy can only be started while outgoing migration is in '
            'progress')
        if not job.flags & fake.VIR_MIGRATE_POSTCOPY:
            raise error(
                fake.VIR_ERR_OPERATION_INVALID,
                'switching to post-copy requires migration to be started '
                'with VIR_MIGRATE_POSTCOPY flag')
        job.start_post_copy()
        # The caller hears of the switch after everyone else: the worse of
        # the two orders in which it can happen.
        self._connection.wait_for_delivery()
        return 0

    def migrateSetMaxDowntime(self, downtime, flags: int = 0) -> int:
        self._outgoing_migration('domain is not being migrated').set_downtime(
            downtime / 1000)
        return 0

    def abortJob(self) -> int:
        self._outgoing_migration('no job is active on the domain').abort()
        return 0

    def jobStats(self, flags: int = 0) -> dict:
        self._assert_exists()
        job = self._job
        return super().jobStats(flags) if job is None else job.stats()

    def jobInfo(self) -> list:
        stats = self.jobStats()
        return [stats.get(name, 0) for name in (
            'type', 'time_elapsed', 'time_remaining',
            'data_total', 'data_processed', 'data_remaining',
            'memory_total', 'memory_processed', 'memory_remaining',
            'disk_total', 'disk_processed', 'disk_remaining')]

    def _outgoing_migration(self, complaint: str) -> 'Job':
        self._assert_exists()
        job = self._job
        if job is None:
            raise error(fake.VIR_ERR_OPERATION_INVALID,
                        'Requested operation is not valid: ' + complaint)
        return job

    def _assert_exists(self) -> None:
        if self._connection.domain_named(self.name()) is not self:
            raise error(
                fake.VIR_ERR_NO_DOMAIN,
                "Domain not found: no domain with matching uuid '%s' (%s)"
                % (self.UUIDString(), self.name()))


class Connection(fake.Connection):
    """The libvirt of one simulated host."""

    def __init__(self, uri=None, *, cloud: hosts.Hosts,
                 userfaultfd: bool = True, **kwargs):
        """Add a host to the simulated cloud.

        :param userfaultfd: whether its QEMU may take part in post-copy
        :param kwargs: as of upstream's fake
        """
        super().__init__(uri, **kwargs)
        self.hosts = cloud
        self.userfaultfd = userfaultfd
        self._callbacks: dict[int, list] = {}
        self._events: queue.Queue = queue.Queue()
        self._event_thread = threading.Thread(
            target=self._deliver_events, daemon=True,
            name='libvirt events of ' + self.hostname)
        self._event_thread.start()
        cloud.connections[self.hostname] = self

    def defineXML(self, xml):
        domain = Domain(self, xml)
        known = self.domain_named(domain.name())
        if known is not None and known.isActive():
            # It runs on as it is, and what was transient is persistent now.
            known._transient = False
            domain = known
        self._vms[domain.name()] = domain
        self._emit_lifecycle(domain, fake.VIR_DOMAIN_EVENT_DEFINED, 0)
        return domain

    def createXML(self, xml, flags):
        domain = Domain(self, xml, transient=True)
        self._vms[domain.name()] = domain
        domain.createWithFlags(flags)
        return domain

    def receive(self, xml: str, flags: int) -> Domain:
        """Prepare the incoming side of a migration.

        :returns: a domain whose CPUs do not run yet
        """
        if flags & fake.VIR_MIGRATE_POSTCOPY and not self.userfaultfd:
            raise error(
                fake.VIR_ERR_INTERNAL_ERROR,
                "internal error: unable to execute QEMU command "
                "'migrate-set-capabilities': Postcopy is not supported")
        domain = Domain(self, xml, transient=not (
            flags & fake.VIR_MIGRATE_PERSIST_DEST))
        domain.become(fake.VIR_DOMAIN_PAUSED, VIR_DOMAIN_PAUSED_MIGRATION)
        self._vms[domain.name()] = domain
        self._running_vms[self._id_counter] = domain
        self._id_counter += 1
        self._emit_lifecycle(domain, fake.VIR_DOMAIN_EVENT_STARTED,
                             VIR_DOMAIN_EVENT_STARTED_MIGRATED)
        return domain

    def drop(self, domain: Domain, reason: int, detail: int) -> None:
        """Forget a domain that a migration has ended on this host."""
        domain.become(fake.VIR_DOMAIN_SHUTOFF, reason)
        self._running_vms = {number: other for number, other
                             in self._running_vms.items()
                             if other is not domain}
        self._vms.pop(domain.name(), None)
        self._emit_lifecycle(domain, fake.VIR_DOMAIN_EVENT_STOPPED, detail)

    def domain_named(self, name: str) -> Domain | None:
        return self._vms.get(name)

    def peer(self, uri: str) -> 'Connection':
        """Find the host that a migration URI names."""
        host = parse.urlsplit(uri).hostname
        try:
            return self.hosts.connections[host]
        except KeyError:
            raise error(
                fake.VIR_ERR_SYSTEM_ERROR,
                "unable to connect to server at '%s': Name or service not "
                "known" % host)

    def domainEventRegisterAny(self, dom, eventid, callback, opaque):
        self._callbacks.setdefault(eventid, []).append((callback, opaque))
        return eventid

    def domainEventDeregisterAny(self, callbackID):
        self._callbacks.pop(callbackID, None)

    def emit(self, event_id: int, domain: Domain, *what) -> None:
        """Queue an event; it is delivered in order, by another thread."""
        self._events.put((event_id, domain, what))

    def _emit_lifecycle(self, dom, event, detail):
        self.emit(fake.VIR_DOMAIN_EVENT_ID_LIFECYCLE, dom, event, detail)

    def wait_for_delivery(self) -> None:
        """Wait until every event so far was handled, or a second."""
        deadline = time.monotonic() + DELIVERY
        while self._events.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(TICK)

    def close(self) -> None:
        self._events.put(None)
        self._event_thread.join(DELIVERY)

    def _deliver_events(self) -> None:
        while (event := self._events.get()) is not None:
            event_id, domain, what = event
            for callback, opaque in self._callbacks.get(event_id, ()):
                try:
                    callback(self, domain, *what, opaque)
                except Exception:
                    # As the binding does: an event has no one to complain to.
                    LOG.exception('Handling an event of %s failed',
                                  self.hostname)
            self._events.task_done()


class Job:
    """One outgoing migration: moves a domain as the model says.

    Every method catches up with the clock first. All of them may be called
    from several threads at once; events are queued in their right order.
    """

    def __init__(self, source: Domain, target: Domain, flags: int,
                 paused: bool):
        self.flags = flags
        self._source = source
        self._target = target
        self._paused = paused
        self._lock = threading.RLock()
        self._cloud = source._connection.hosts
        self._workload = self._cloud.workload(source.UUIDString())
        self._model = self._workload.migrate(self._cloud.link, paused)
        self._move = hosts.Move(
            source.UUIDString(), source._connection.hostname,
            target._connection.hostname, flags, self._model)
        self._cloud.moves.append(self._move)

    def run(self) -> None:
        """Stay until the migration is over, as migrateToURI3 does.

        :raises libvirtError: when it did not succeed; the guest is then on
            the source, as if nothing had been
        """
        while self._catch_up() not in guest.ENDED:
            if self._cloud.closed:
                raise error(fake.VIR_ERR_INTERNAL_ERROR,
                            'internal error: client socket is closed')
            time.sleep(TICK)
        with self._lock:
            self._workload.settle()
            if self._model.phase is guest.Phase.CANCELLED:
                self._give_up()
                raise error(
                    VIR_ERR_OPERATION_ABORTED,
                    'operation aborted: migration out job: canceled by '
                    'client')

    def start_post_copy(self) -> None:
        with self._lock:
            phase = self._catch_up()
            if phase is guest.Phase.SETUP:
                raise error(
                    fake.VIR_ERR_INTERNAL_ERROR,
                    "internal error: unable to execute QEMU command "
                    "'migrate-start-postcopy': Enable postcopy with "
                    "migrate_set_capability before the start of migration")
            # QEMU takes the command in any later phase, to no effect.
            if phase is guest.Phase.PRE_COPY:
                self._tell(self._model.start_post_copy())

    def abort(self) -> None:
        with self._lock:
            phase = self._catch_up()
            if phase not in guest.ON_SOURCE:
                raise error(
                    fake.VIR_ERR_OPERATION_INVALID,
                    'Requested operation is not valid: cannot abort '
                    'migration in post-copy mode')
            if phase is not guest.Phase.CANCELLED:
                self._model.cancel()

    def set_downtime(self, seconds: float) -> None:
        with self._lock:
            self._catch_up()
            self._model.max_downtime = seconds

    def pause_guest(self, paused: bool) -> None:
        with self._lock:
            self._catch_up()
            self._model.paused = paused

    def stats(self) -> dict:
        """Return what virDomainGetJobStats tells of it."""
        with self._lock:
            self._catch_up()
            model, link = self._model, self._cloud.link
            stats = {
                'type': fake.VIR_DOMAIN_JOB_UNBOUNDED,
                'operation': VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT,
                'time_elapsed': int(model.elapsed * 1000),
            }
            if model.phase is guest.Phase.SETUP:
                return stats
            amounts = {
                'total': model.guest.memory,
                'processed': round(model.sent),
                'remaining': round(model.remaining),
            }
            for kind in ('data', 'memory'):
                stats |= {'%s_%s' % (kind, name): amount
                          for name, amount in amounts.items()}
            # Until it has been, the downtime is what QEMU expects.
            downtime = (model.downtime if model.suspended or model.downtime
                        else model.remaining / link.bandwidth)
            return stats | {
                'downtime': int(downtime * 1000),
                'setup_time': int(link.setup * 1000),
                'memory_bps': int(link.bandwidth),
                'memory_constant': 0,
                'memory_normal': int(model.sent) // guest.PAGE,
                'memory_normal_bytes': int(model.sent),
                'memory_dirty_rate': int(model.dirty_rate) // guest.PAGE,
                'memory_page_size': guest.PAGE,
                'memory_iteration': model.iteration,
                'memory_postcopy_requests': int(model.missed),
            }

    def _catch_up(self) -> guest.Phase:
        with self._lock:
            self._tell(self._model.advance(
                max(self._model.now, self._cloud.clock.now())))
            return self._model.phase

    def _tell(self, events: list[guest.Event]) -> None:
        for event in events:
            self._HANDLERS[event.what](self, event)
            self._move.events.append(event)
            if event.what in self._cloud.stop_at:
                self._cloud.clock.stop()

    def _iteration(self, event: guest.Event) -> None:
        self._source._connection.emit(
            VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, self._source,
            event.iteration)

    def _suspended(self, event: guest.Event) -> None:
        self._source.become(fake.VIR_DOMAIN_PAUSED,
                            VIR_DOMAIN_PAUSED_MIGRATION)
        self._source._connection._emit_lifecycle(
            self._source, fake.VIR_DOMAIN_EVENT_SUSPENDED,
            fake.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED)

    def _switched(self, event: guest.Event) -> None:
        self._source.become(fake.VIR_DOMAIN_PAUSED,
                            VIR_DOMAIN_PAUSED_POSTCOPY)
        self._source._connection._emit_lifecycle(
            self._source, fake.VIR_DOMAIN_EVENT_SUSPENDED,
            fake.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY)

    def _resumed(self, event: guest.Event) -> None:
        self._target.become(fake.VIR_DOMAIN_RUNNING,
                            VIR_DOMAIN_RUNNING_POSTCOPY)
        self._target._connection._emit_lifecycle(
            self._target, fake.VIR_DOMAIN_EVENT_RESUMED,
            VIR_DOMAIN_EVENT_RESUMED_POSTCOPY)

    def _completed(self, event: guest.Event) -> None:
        self._source._connection.drop(
            self._source, VIR_DOMAIN_SHUTOFF_MIGRATED,
            VIR_DOMAIN_EVENT_STOPPED_MIGRATED)
        if self._paused:
            return
        self._target.become(fake.VIR_DOMAIN_RUNNING,
                            VIR_DOMAIN_RUNNING_MIGRATED)
        self._target._connection._emit_lifecycle(
            self._target, fake.VIR_DOMAIN_EVENT_RESUMED,
            VIR_DOMAIN_EVENT_RESUMED_MIGRATED)

    _HANDLERS = {
        guest.Happening.ITERATION: _iteration,
        guest.Happening.SUSPENDED: _suspended,
        guest.Happening.SWITCHED: _switched,
        guest.Happening.RESUMED: _resumed,
        guest.Happening.COMPLETED: _completed,
    }

    def _give_up(self) -> None:
        self._target._connection.drop(
            self._target, VIR_DOMAIN_SHUTOFF_DESTROYED,
            VIR_DOMAIN_EVENT_STOPPED_FAILED)
        if self._source._reason == VIR_DOMAIN_PAUSED_MIGRATION:
            self._source.become(fake.VIR_DOMAIN_RUNNING,
                                VIR_DOMAIN_RUNNING_MIGRATION_CANCELED)
            self._source._connection._emit_lifecycle(
                self._source, fake.VIR_DOMAIN_EVENT_RESUMED,
                VIR_DOMAIN_EVENT_RESUMED_UNPAUSED)
