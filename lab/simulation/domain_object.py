# SPDX-License-Identifier: Apache-2.0

"""A domain of a simulated libvirtd: its states and what may be asked of it.

Extends upstream's fake by what a live migration needs of a domain on either
end. The migration itself is elsewhere (:mod:`.job`). Error messages are those
of libvirt 9.0, since they reach operators through Nova. Everything runs under
the lock of the simulated hosts.
"""

from nova.tests.fixtures import libvirt as fake

from lab.simulation import devices
from lab.simulation import guest
from lab.simulation import hosts
from lab.simulation import job
from lab.simulation import names
from lab.simulation import operation


class DomainObject(devices.Devices):
    """A domain as libvirtd knows it (virDomainObj), able to migrate."""

    def __init__(self, daemon, xml, transient=False):
        self.job: job.Job | None = None
        # The last measurement of the dirty rate: begun when, for how long (s).
        self._measured: tuple[float, int] | None = None
        # virDomainState, and the reason, which means nothing without it.
        self._condition = fake.VIR_DOMAIN_SHUTOFF, names.UNKNOWN
        super().__init__(daemon, xml, transient=transient)

    @property
    def daemon(self):
        """The :class:`lab.simulation.libvirtd.Libvirtd` that has it."""
        return self._connection

    @property
    def is_the_guest(self) -> bool:
        """Whether it is the guest itself, and not the other end of a move."""
        if self.job is None:
            return True
        return self is (self.job.source if self.job.phase in guest.ON_SOURCE
                        else self.job.target)

    @property
    def runs(self) -> bool:
        """Whether its CPUs run."""
        return self._state == fake.VIR_DOMAIN_RUNNING

    @property
    def _state(self) -> int:
        return self._condition[0]

    @_state.setter
    def _state(self, state: int) -> None:
        # Upstream's methods assign it, and know of no reasons.
        if state != self._state:
            self._enter(state, names.UNKNOWN)

    def _enter(self, state: int, reason: int) -> None:
        """Set state and reason, and record on which host the guest runs."""
        ran = self._state == fake.VIR_DOMAIN_RUNNING
        runs = state == fake.VIR_DOMAIN_RUNNING
        self._condition = state, reason
        if runs != ran:
            self.daemon.hosts.note(self, runs)

    def become(self, state: int, reason: int, event: int | None = None,
               detail: int = 0) -> None:
        """Enter a state and emit its event, unless it is the present one.

        :param event: virDomainEventType
        """
        if [state, reason] == self.state():
            return
        self._enter(state, reason)
        if event is not None:
            self.daemon._emit_lifecycle(self, event, detail)

    def state(self, flags: int = 0) -> list[int]:
        return list(self._condition)

    def isActive(self) -> int:
        return int(self._state in (fake.VIR_DOMAIN_RUNNING,
                                   fake.VIR_DOMAIN_PAUSED))

    def isPersistent(self) -> int:
        return int(not self._transient)

    def createWithFlags(self, flags=0):
        if self.isActive():
            raise names.invalid('domain is already running')
        self.check_disks()
        super().createWithFlags(flags)
        self._enter(fake.VIR_DOMAIN_RUNNING, names.VIR_DOMAIN_RUNNING_BOOTED)

    def check_disks(self) -> None:
        """Check that QEMU can open each disk.

        :raises libvirtError: the disk is not there
        """
        for source in self.disk_sources():
            if not self.daemon.hosts.disks.usable(
                    self.daemon.hostname, source):
                raise names.error(
                    fake.VIR_ERR_SYSTEM_ERROR,
                    "Cannot access storage file '%s': No such file or "
                    "directory" % source)

    def suspend(self):
        if self.job is not None:
            self.job.pause_guest(True)
        self.become(fake.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_USER,
                    fake.VIR_DOMAIN_EVENT_SUSPENDED,
                    names.VIR_DOMAIN_EVENT_SUSPENDED_PAUSED)

    def resume(self):
        if self.job is not None:
            self.job.pause_guest(False)
        self.become(fake.VIR_DOMAIN_RUNNING,
                    names.VIR_DOMAIN_RUNNING_UNPAUSED,
                    fake.VIR_DOMAIN_EVENT_RESUMED,
                    names.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED)

    def destroy(self):
        if not self.isActive():
            raise names.invalid('domain is not running')
        self.daemon.hosts.destroyed.append(hosts.Destroyed(
            self.UUIDString(), self.daemon.hostname,
            self.job and self.job.phase))
        self._end(names.VIR_DOMAIN_SHUTOFF_DESTROYED,
                  names.VIR_DOMAIN_EVENT_STOPPED_DESTROYED)

    def crash(self) -> None:
        """End the QEMU of this domain."""
        self._end(names.VIR_DOMAIN_SHUTOFF_CRASHED,
                  names.VIR_DOMAIN_EVENT_STOPPED_FAILED)

    def _end(self, reason: int, detail: int) -> None:
        self.daemon.stop(self, reason, detail)
        if self.job is not None:
            self.job.qemu_died(self)

    # What the guest does by itself, while its CPUs run

    def power_off(self) -> None:
        self._end(names.VIR_DOMAIN_SHUTOFF_SHUTDOWN,
                  names.VIR_DOMAIN_EVENT_STOPPED_SHUTDOWN)

    def restart_guest(self) -> None:
        """Reset the guest; its QEMU goes on."""
        self.daemon.emit(names.VIR_DOMAIN_EVENT_ID_REBOOT, self)

    def stand_still(self) -> None:
        """Stop the CPUs on an I/O error, such as a full disk."""
        if self.job is not None:
            self.job.stand_still()
        self.become(fake.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_IOERROR,
                    fake.VIR_DOMAIN_EVENT_SUSPENDED,
                    names.VIR_DOMAIN_EVENT_SUSPENDED_IOERROR)

    def migrateToURI3(self, dconnuri, params, flags=0) -> operation.Operation:
        """Begin or resume a migration.

        :returns: the operation that a client waits for
        """
        peer = self.daemon.peer(dconnuri)
        if flags & names.VIR_MIGRATE_POSTCOPY_RESUME:
            return self._resume_migration(peer, flags)
        if self.job is not None:
            raise names.busy()
        paused = self._state == fake.VIR_DOMAIN_PAUSED
        if not self.isActive():
            raise names.invalid('domain is not running')
        if flags & fake.VIR_MIGRATE_POSTCOPY:
            if paused:
                raise names.error(
                    fake.VIR_ERR_OPERATION_UNSUPPORTED,
                    'post-copy migration is not supported with non-live or '
                    'paused migration')
            if flags & fake.VIR_MIGRATE_TUNNELLED:
                raise names.error(
                    fake.VIR_ERR_OPERATION_UNSUPPORTED,
                    'post-copy is not supported with tunnelled migration')
        target = peer.receive(
            params['destination_xml'], flags, self.daemon)
        self.job = target.job = job.Job(self, target, flags, paused)
        return self.job.operation

    def _resume_migration(self, peer, flags: int) -> operation.Operation:
        if not flags & fake.VIR_MIGRATE_POSTCOPY:
            raise names.error(
                fake.VIR_ERR_ARGUMENT_UNSUPPORTED,
                'argument unsupported: resuming failed post-copy migration '
                'requires post-copy to be enabled')
        moving = self._outgoing('domain %r is not being migrated'
                                % self.name())
        moving.check_resume()
        target = peer.domain_named(self.name())
        if target is None:
            raise names.error(
                fake.VIR_ERR_NO_DOMAIN,
                "Domain not found: no domain with matching name '%s'"
                % self.name())
        if target.job is not moving:
            raise names.invalid('domain %r is not processing incoming '
                                'migration' % self.name())
        return moving.resume()

    def migrateStartPostCopy(self, flags: int = 0) -> int:
        moving = self._outgoing(
            'post-copy can only be started while outgoing migration is in '
            'progress')
        if not moving.flags & fake.VIR_MIGRATE_POSTCOPY:
            raise names.invalid(
                'switching to post-copy requires migration to be started '
                'with VIR_MIGRATE_POSTCOPY flag')
        moving.start_post_copy()
        return 0

    def migrateSetMaxDowntime(self, downtime, flags: int = 0) -> int:
        self._outgoing('domain is not being migrated').set_downtime(
            downtime / 1000)
        return 0

    def abortJob(self) -> int:
        return self.abortJobFlags(0)

    def abortJobFlags(self, flags: int = 0) -> int:
        moving = self._outgoing('no job is active on the domain')
        if flags & names.VIR_DOMAIN_ABORT_JOB_POSTCOPY:
            moving.break_stream()
        else:
            moving.cancel()
        return 0

    def jobStats(self, flags: int = 0) -> dict:
        if self.job is None or self.job.source is not self:
            return super().jobStats(flags)
        return self.job.stats()

    def startDirtyRateCalc(self, seconds: int, flags: int = 0) -> int:
        if self.job is not None:
            raise names.busy()
        self._measured = (self.daemon.hosts.clock.now(), seconds)
        return 0

    def dirty_rate(self) -> dict:
        """Return its statistics as virDomainListGetStats has them."""
        if self._measured is None:
            return {'dirtyrate.calc_status':
                    names.VIR_DOMAIN_DIRTYRATE_UNSTARTED}
        began, seconds = self._measured
        if self.daemon.hosts.clock.now() < began + seconds:
            return {'dirtyrate.calc_status':
                    names.VIR_DOMAIN_DIRTYRATE_MEASURING}
        dirtied = self.daemon.hosts.workload(
            self.UUIDString()).guest.dirtied(seconds)
        return {
            'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURED,
            'dirtyrate.calc_period': seconds,
            'dirtyrate.megabytes_per_second':
                round(dirtied / seconds / (1 << 20))}

    def memoryStats(self) -> dict:
        memory = self.daemon.hosts.workload(self.UUIDString()).guest.memory
        return {'actual': memory >> 10, 'rss': memory >> 10}

    def jobInfo(self) -> list:
        stats = self.jobStats()
        return [stats.get(name, 0) for name in (
            'type', 'time_elapsed', 'time_remaining',
            'data_total', 'data_processed', 'data_remaining',
            'memory_total', 'memory_processed', 'memory_remaining',
            'disk_total', 'disk_processed', 'disk_remaining')]

    def _outgoing(self, complaint: str) -> job.Job:
        if self.job is None or self.job.source is not self:
            raise names.invalid(complaint)
        return self.job
