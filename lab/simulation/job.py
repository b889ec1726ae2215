# SPDX-License-Identifier: Apache-2.0

"""One migration between two simulated hosts, as libvirt and QEMU see it.

Moves a domain as the model of its memory says; what that makes of both domains
is elsewhere (:mod:`.ends`). Everything is called under the lock of the
simulated hosts, by :meth:`lab.simulation.hosts.Hosts.tick` or after it, so the
model is always at the present time.

Three things can end independently of each other: QEMU's stream (the migration
is interrupted), the connection between the two libvirtds (it continues
*unattended*) and the client that waits (libvirt continues).
"""

from collections.abc import Callable

from nova.tests.fixtures import libvirt as fake

from lab.simulation import ends
from lab.simulation import guest
from lab.simulation import hosts
from lab.simulation import job_stats
from lab.simulation import names
from lab.simulation import operation

# libvirtd gives up a peer that has been silent for so long.
KEEPALIVE_S = 30.0


class Job:
    """The migration job of a domain: its two ends and its stream."""

    def __init__(self, source, target, flags: int, paused: bool) -> None:
        """Begin the migration.

        :param source: the domain that runs
        :param target: the domain that waits for it
        :param flags: virDomainMigrateFlags
        :param paused: the guest does not run, neither before nor after
        """
        self.source = source
        self.target = target
        self.flags = flags
        #: the call that libvirt attends to; None: nobody
        self.operation: operation.Operation | None = operation.Operation()
        self._ends = ends.Ends(source, target)
        self._paused = paused
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._cloud = source.daemon.hosts
        self._workload = self._cloud.workload(source.UUIDString())
        self._model = self._workload.migrate(self._cloud.link, paused)
        self._move = hosts.Move(
            source.UUIDString(), source.daemon.hostname,
            target.daemon.hostname, flags, self._model)
        self._cloud.add_job(self, self._move)

    @property
    def phase(self) -> guest.Phase:
        return self._model.phase

    def catch_up(self, now: float) -> None:
        """Apply what is due until now, in order, and advance the model."""
        while self._due and self._due[0][0] <= now:
            when, what = self._due.pop(0)
            self._advance(when)
            what()
        self._advance(now)

    def _advance(self, now: float) -> None:
        self._tell(self._model.advance(max(self._model.now, now)))

    def _later(self, when: float, what: Callable[[], None]) -> None:
        self._due.append((when, what))
        self._due.sort(key=lambda due: due[0])

    # Requests of a client

    def start_post_copy(self) -> None:
        if self._model.phase is guest.Phase.SETUP:
            raise names.error(
                fake.VIR_ERR_INTERNAL_ERROR,
                "internal error: unable to execute QEMU command "
                "'migrate-start-postcopy': Enable postcopy with "
                "migrate_set_capability before the start of migration")
        # QEMU takes the command in any later phase, to no effect.
        if self._model.phase is guest.Phase.PRE_COPY:
            self._tell(self._model.start_post_copy())

    def cancel(self) -> None:
        if self._model.phase not in guest.ON_SOURCE:
            raise names.invalid('cannot abort migration in post-copy mode')
        self._roll_back(names.error(
            names.VIR_ERR_OPERATION_ABORTED,
            'operation aborted: migration out job: canceled by client'))

    def break_stream(self) -> None:
        """Break the stream at the source: VIR_DOMAIN_ABORT_JOB_POSTCOPY."""
        phase = self._model.phase
        if phase in guest.ON_SOURCE:
            raise names.invalid(
                'current job is not outgoing migration in post-copy mode')
        if phase is guest.Phase.INTERRUPTED:
            raise names.error(
                fake.VIR_ERR_INTERNAL_ERROR,
                "internal error: unable to execute QEMU command "
                "'migrate-pause': migrate-pause is currently only supported "
                "during postcopy-active or postcopy-recover state")
        self.interrupt()

    def check_resume(self) -> None:
        """Check that the source can resume the migration.

        :raises libvirtError: with the reason why it cannot
        """
        if self.operation is not None:
            raise names.invalid(
                'migration of domain %s is being actively monitored by '
                'another thread' % self.source.name())
        if self._model.phase in guest.ON_SOURCE:
            raise names.invalid('migration of domain %s is not in post-copy '
                                'phase' % self.source.name())
        if self._model.phase is not guest.Phase.INTERRUPTED:
            # Only libvirt has given it up.
            raise names.invalid('QEMU reports migration is still running')

    def resume(self) -> operation.Operation:
        """Resume post-copy with a new stream.

        :raises libvirtError: the destination's side has not failed
        """
        if not self._ends.target_failed:
            raise names.invalid('post-copy migration of domain %s has not '
                                'failed' % self.target.name())
        self._tell(self._model.recover())
        self.operation = operation.Operation()
        return self.operation

    def set_downtime(self, seconds: float) -> None:
        self._model.max_downtime = seconds

    def pause_guest(self, paused: bool) -> None:
        if self._model.phase not in guest.ON_SOURCE:
            raise names.busy()
        self._model.paused = paused

    def stand_still(self) -> None:
        """Note that the guest stands still, on whichever side it is."""
        self._model.paused = True

    def stats(self) -> dict:
        return job_stats.of(self._model, self._cloud.link)

    # Faults

    def network_cut(self) -> None:
        self._model.carried = False
        cut_at = self._cloud.cut_at
        self._later(cut_at + KEEPALIVE_S, lambda: (
            self._cloud.cut_at == cut_at and self.peer_lost(names.failed(
                'Lost connection to destination host'))))

    def network_healed(self, goes_on_at: float) -> None:
        """Note that the network is back.

        :param goes_on_at: when TCP retransmits what was not acknowledged (s)
        """
        self._later(goes_on_at, self._go_on)

    def _go_on(self) -> None:
        """Let the TCP of each side find out about the other side."""
        if self._cloud.is_cut:
            return
        self._model.carried = True
        self._hear()
        if not self.target.isActive():
            self.interrupt()

    def break_incoming(self) -> int:
        """Close the connection on the destination, if it is dead.

        :returns: how many were closed
        """
        if self._model.phase is guest.Phase.POST_COPY and (
                not self._model.carried):
            self._tell(self._model.interrupt())
        if (self._model.phase is not guest.Phase.INTERRUPTED
                or self._ends.target_failed):
            return 0
        self._ends.fail_target()
        self._hear()
        return 1

    def interrupt(self, everywhere: bool = False) -> None:
        """Break the stream.

        :param everywhere: both ends close it; otherwise the destination only
            learns of it from the source, while the network carries packets
        """
        phase = self._model.phase
        if phase in guest.ON_SOURCE:
            self._roll_back(names.failed(
                'migration out job: unexpectedly failed'))
        elif phase is guest.Phase.SWITCH_OVER and self.target.isActive():
            # Without the state of the devices the destination's QEMU ends.
            self.target.crash()
        elif phase in (guest.Phase.SWITCH_OVER, guest.Phase.POST_COPY):
            self._tell(self._model.interrupt())
            if everywhere or not self._cloud.is_cut:
                self._end_stream()

    def _hear(self) -> None:
        """Let the destination learn that the source's stream has ended."""
        if not self._cloud.is_cut and self._model.phase in (
                guest.Phase.INTERRUPTED, guest.Phase.LOST):
            self._end_stream()

    def _end_stream(self) -> None:
        if self.target.isActive():
            self._ends.fail_target()
        if self._model.phase is guest.Phase.LOST:
            self._leave()
        self._end_operation(names.failed(
            'migration out job: post-copy phase failed'))

    def peer_lost(self, error: fake.libvirtError) -> None:
        """Lose the connection between the libvirtds; QEMU continues."""
        if self.operation is None:
            return
        if self._model.phase in guest.ON_SOURCE:
            self._roll_back(error)
        else:
            self._ends.fail_source()
            self._end_operation(error)

    def libvirtd_restarted(self, domain) -> None:
        """Note that the libvirtd of one side has been restarted."""
        if domain is self.target:
            self.peer_lost(names.connection_lost())
        elif self._model.phase in guest.ON_SOURCE:
            self._roll_back(names.connection_lost())
        else:
            self._end_operation(names.connection_lost())

    def qemu_died(self, domain) -> None:
        """Note that the QEMU of one side has ended."""
        if self._model.phase in guest.ON_SOURCE:
            self._roll_back(names.failed(
                'domain is not running' if domain is self.source else
                'migration out job: unexpectedly failed'))
            return
        if domain is self.source:
            self.source.job = None
            self._model.lose()
            self._end_operation(names.failed('domain is not running'))
            self._hear()
        else:
            # The source keeps its half, and the job for ever.
            self.target.job = None
            if not self._cloud.is_cut:
                self.interrupt()

    # The course of the migration

    def _tell(self, events: list[guest.Event]) -> None:
        for event in events:
            if event.what is guest.Happening.COMPLETED:
                self._complete()
            else:
                self._ends.follow(event)
            # Who sees the event may take it that the time stands still.
            if event.what in self._cloud.stop_at:
                self._cloud.clock.stop()
            self._move.events.append(event)

    def _complete(self) -> None:
        # An unattended migration leaves the definition on the source.
        self._ends.complete(
            self.stats(), self._paused,
            undefine=(self.operation is not None
                      and self.flags & fake.VIR_MIGRATE_UNDEFINE_SOURCE))
        self._workload.settle()
        self._end_operation(None)
        self._leave()

    def _roll_back(self, error: fake.libvirtError) -> None:
        """Give up before the switch: the guest stays on the source."""
        self._model.cancel()
        self._leave()
        self._ends.roll_back()
        self._workload.settle()
        self._end_operation(error)

    def _end_operation(self, error: fake.libvirtError | None) -> None:
        if self.operation is not None:
            self.operation.end(error)
            self.operation = None

    def _leave(self) -> None:
        self.source.job = self.target.job = None
        self._cloud.remove_job(self)
