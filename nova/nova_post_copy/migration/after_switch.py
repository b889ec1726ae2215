# SPDX-License-Identifier: Apache-2.0

"""The phase after the switch.

The guest runs on the destination; its missing memory exists on the source
only.
"""

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

import futurist
from oslo_log import log as logging

from nova import exception

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import recovery
from nova_post_copy.migration.cut_over import CutOver
from nova_post_copy.migration.following import Course
from nova_post_copy.migration.following import Following
from nova_post_copy.migration.interruption import Interruption
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration import phase
from nova_post_copy.migration.phase import MonitorPhase
from nova_post_copy.migration.result import Result
from nova_post_copy.virt.libvirt import job

LOG = logging.getLogger(__name__)


class AfterSwitch(Following):
    """Phase in which the remaining memory is sent to the destination."""

    switched = True

    def __init__(self, migration: LiveMigration,
                 operation: futurist.Future | None, course: Course) -> None:
        super().__init__(migration, operation, course)
        self._arrived = False
        # libvirt says that the stream is broken, and bytes have moved lately.
        self._doubtful = False
        self._left_alone = False
        self._cut_over = CutOver(migration.link)

    def beat(self) -> float:
        return phase.QUICK_BEAT_S if self._doubtful else super().beat()

    def step(self, found: Condition, over: bool) -> MonitorPhase | Result:
        if found in (Condition.POST_COPY, Condition.BROKEN):
            # libvirt's call may have returned long before.
            self.migration.reporter.switched_over()
            self._cut_over.follow()
        self._doubtful = found is Condition.BROKEN and self._moves()
        if found is not Condition.BROKEN:
            return super().step(found, over)
        if self._doubtful:
            return self
        self.course.stream = recovery.Stream()
        self.migration.summary.interrupted()
        return Interruption(self.migration, self.operation, self).step(
            found, over)

    def _moves(self) -> bool:
        """Tell whether memory is sent although the domain says broken.

        libvirt says so, too, when only libvirtd on the destination was
        killed; the migration then completes by itself.
        """
        return (self.look() is not None and
                self.course.still < recovery.STILL_AFTER_S)

    def carry_on(self, operation: futurist.Future | None) -> None:
        super().carry_on(operation)
        self.course.stream = recovery.Stream()

    def _follow(self) -> MonitorPhase | None:
        if self.look() is None:
            return None
        if self.course.still >= recovery.STALLED_AFTER_S:
            self._break_dead_stream()
        return self

    def _rolled_back(self) -> Result:
        self._cut_over.finish()
        return super()._rolled_back()

    def _sent_again(self, info: job.Statistics) -> float:
        return 0.0

    def _break_dead_stream(self) -> None:
        """Break a stalled stream, so that it can be resumed."""
        self.course.stream = recovery.Stream()
        refusal = self.migration.link.resume_refusal
        if refusal is not None:
            self._leave_alone(refusal)
            return
        if not self._runs_there():
            return
        LOG.warning('No memory was transferred for %d s: treating the stream '
                    'as dead and breaking it', recovery.STALLED_AFTER_S,
                    instance=self.migration.instance)
        try:
            self.migration.guest()._domain.abortJobFlags(
                libvirt.VIR_DOMAIN_ABORT_JOB_POSTCOPY)
        except (libvirt.libvirtError, exception.NovaException) as exc:
            LOG.debug('Could not break the stream: %s', exc,
                      instance=self.migration.instance)

    def _leave_alone(self, refusal: str) -> None:
        if not self._left_alone:
            self._left_alone = True
            LOG.warning('No memory was transferred for %(seconds)d s. The '
                        'stream is left to TCP: %(reason)s',
                        {'seconds': recovery.STALLED_AFTER_S,
                         'reason': refusal},
                        instance=self.migration.instance)

    def _runs_there(self) -> bool:
        """Tell whether the destination has started the guest.

        Before the destination has the state of the devices nothing can be
        resumed: breaking the stream would end the guest, and a stream that
        is left alone may continue.
        """
        self._arrived = (self._arrived or self.migration.link.destination()
                         in condition.STARTED)
        return self._arrived
