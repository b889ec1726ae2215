# SPDX-License-Identifier: Apache-2.0

"""The two domains of a migration, and how each of its steps changes them.

Their states and events, in the order in which libvirt has them. When a step
is taken is decided elsewhere (:mod:`.job`).
"""

from nova.tests.fixtures import libvirt as fake

from lab.simulation import guest
from lab.simulation import names


class Ends:
    """Both ends of one migration."""

    def __init__(self, source, target) -> None:
        """Begin with both as they are.

        :param source: the domain that runs
        :param target: the domain that waits for it
        """
        self._source = source
        self._target = target
        #: whether the destination knows that post-copy has failed
        self.target_failed = False

    @property
    def _stands_still(self) -> bool:
        """Whether the guest waits on the destination, for an I/O error.

        Then libvirt keeps this state until somebody resumes the guest, and
        only emits what the migration does (qemuMigrationDstPostcopyFailed).
        """
        return self._target.state() == [
            fake.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_IOERROR]

    def follow(self, event: guest.Event) -> None:
        """Follow an event of the model, other than the completion."""
        self._HANDLERS[event.what](self, event)

    def _iteration(self, event: guest.Event) -> None:
        self._source.daemon.emit(
            names.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, self._source,
            event.iteration)

    def _suspended(self, event: guest.Event) -> None:
        self._source.become(
            fake.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_MIGRATION,
            fake.VIR_DOMAIN_EVENT_SUSPENDED,
            fake.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED)

    def _switched(self, event: guest.Event) -> None:
        self._source.become(
            fake.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_POSTCOPY,
            fake.VIR_DOMAIN_EVENT_SUSPENDED,
            fake.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY)

    def _resumed(self, event: guest.Event) -> None:
        self.target_failed = False
        if self._stands_still:
            return
        self._target.become(
            fake.VIR_DOMAIN_RUNNING, names.VIR_DOMAIN_RUNNING_POSTCOPY,
            fake.VIR_DOMAIN_EVENT_RESUMED,
            names.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY)

    def _interrupted(self, event: guest.Event) -> None:
        self.fail_source()

    def _recovered(self, event: guest.Event) -> None:
        self._switched(event)
        self._resumed(event)

    _HANDLERS = {
        guest.Happening.ITERATION: _iteration,
        guest.Happening.SUSPENDED: _suspended,
        guest.Happening.SWITCHED: _switched,
        guest.Happening.RESUMED: _resumed,
        guest.Happening.INTERRUPTED: _interrupted,
        guest.Happening.RECOVERED: _recovered,
    }

    def complete(self, stats: dict, paused: bool, undefine: bool) -> None:
        """End the source; the destination has the whole guest.

        :param stats: of the job, which the source reports once more
        :param paused: the guest does not run on the destination either
        :param undefine: remove the domain from the source
        """
        self._source.daemon.emit(
            names.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, self._source, {
                **stats, 'type': fake.VIR_DOMAIN_JOB_COMPLETED})
        self._source.daemon.stop(
            self._source, names.VIR_DOMAIN_SHUTOFF_MIGRATED,
            names.VIR_DOMAIN_EVENT_STOPPED_MIGRATED, undefine=undefine)
        if not paused and not self._stands_still:
            self._target.become(
                fake.VIR_DOMAIN_RUNNING, names.VIR_DOMAIN_RUNNING_MIGRATED,
                fake.VIR_DOMAIN_EVENT_RESUMED,
                names.VIR_DOMAIN_EVENT_RESUMED_MIGRATED)

    def roll_back(self) -> None:
        """End the destination; the guest stays on the source."""
        self._target.daemon.stop(
            self._target, names.VIR_DOMAIN_SHUTOFF_FAILED,
            names.VIR_DOMAIN_EVENT_STOPPED_FAILED, undefine=True)
        if self._source.state() == [fake.VIR_DOMAIN_PAUSED,
                                    names.VIR_DOMAIN_PAUSED_MIGRATION]:
            self._source.become(
                fake.VIR_DOMAIN_RUNNING,
                names.VIR_DOMAIN_RUNNING_MIGRATION_CANCELED,
                fake.VIR_DOMAIN_EVENT_RESUMED,
                names.VIR_DOMAIN_EVENT_RESUMED_UNPAUSED)

    def fail_source(self) -> None:
        self._source.become(
            fake.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED,
            fake.VIR_DOMAIN_EVENT_SUSPENDED,
            names.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED)

    def fail_target(self) -> None:
        self.target_failed = True
        if self._stands_still:
            self._target.daemon._emit_lifecycle(
                self._target, fake.VIR_DOMAIN_EVENT_SUSPENDED,
                names.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED)
            return
        self._target.become(
            fake.VIR_DOMAIN_RUNNING, names.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED,
            fake.VIR_DOMAIN_EVENT_RESUMED,
            names.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED)
