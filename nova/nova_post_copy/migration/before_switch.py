# SPDX-License-Identifier: Apache-2.0

"""The phase before the switch: pre-copy, and when to end it."""

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

import futurist
from oslo_log import log as logging

import nova.conf
from nova import exception

from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import recovery
from nova_post_copy.decisions import switch
from nova_post_copy.migration.after_switch import AfterSwitch
from nova_post_copy.migration.following import Course
from nova_post_copy.migration.following import Following
from nova_post_copy.migration import live_migration
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration import phase
from nova_post_copy.migration.phase import MonitorPhase
from nova_post_copy.migration import pre_copy
from nova_post_copy.migration.result import Result
from nova_post_copy.virt.libvirt import job

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# What the log says of each action.
_ACTIONS = {switch.Action.GO_ON: 'Continuing pre-copy',
            switch.Action.SWITCH: 'Switching to post-copy',
            switch.Action.STOP: 'Aborting the live migration'}


class BeforeSwitch(Following):
    """The guest runs on the source, or is paused about to leave it."""

    switched = False

    def __init__(self, migration: LiveMigration,
                 operation: futurist.Future | None) -> None:
        super().__init__(migration, operation, Course())
        self._pre_copy = pre_copy.PreCopy(migration.host, migration.instance)
        # QEMU has suspended the guest, to end pre-copy or to switch.
        self._suspended = False
        self._downtime_set = False
        self._reason = ''

    def beat(self) -> float:
        return phase.QUICK_BEAT_S if self._pre_copy.awaits else super().beat()

    def step(self, found: Condition, over: bool) -> MonitorPhase | Result:
        if found in (Condition.POST_COPY, Condition.BROKEN):
            return self._after().step(found, over)
        self._suspended = found is Condition.MIGRATING
        return super().step(found, over)

    def _after(self) -> AfterSwitch:
        return AfterSwitch(self.migration, self.operation, self.course)

    def _follow(self) -> MonitorPhase | None:
        info = self.look()
        if info is None:
            return None
        self._allow_downtime()
        requests = self.migration.requests
        if (not self.migration.can_switch or self._suspended or
                live_migration.ABORT in requests):
            return self
        decision = self._pre_copy.decide(
            info,
            self.migration.signals.since_boundary(info.memory_iteration),
            # The request stays queued until the switch succeeds.
            forced=live_migration.FORCE_COMPLETE in requests)
        return self._carry_out(decision)

    def _sent_again(self, info: job.Statistics) -> float:
        return self._pre_copy.sent_again(info)

    def _allow_downtime(self) -> None:
        """Let pre-copy end as soon as the rest fits the allowed downtime.

        Upstream raises the limit in steps over minutes, to keep the downtime
        of a guest that nearly converges as short as possible. With post-copy
        available there is no need to wait.
        """
        if self._downtime_set:
            return
        try:
            self.migration.guest().migrate_configure_max_downtime(
                CONF.libvirt.live_migration_downtime)
            self._downtime_set = True
        except (libvirt.libvirtError, exception.NovaException) as exc:
            LOG.debug('The downtime limit cannot be set yet: %s', exc,
                      instance=self.migration.instance)

    def _carry_out(self, decision: switch.Decision) -> MonitorPhase:
        """Carry out a decision; return the next phase."""
        if decision.reason != self._reason:
            self._reason = decision.reason
            LOG.info('%(action)s: %(reason)s',
                     {'action': _ACTIONS[decision.action],
                      'reason': decision.reason},
                     instance=self.migration.instance)
        if decision.action is switch.Action.SWITCH:
            # A guest that runs on neither host when libvirt gives up the
            # network is lost.
            if self.course.still < recovery.STILL_AFTER_S:
                return self._switch()
        elif decision.action is switch.Action.STOP:
            self._stop(decision.reason)
        return self

    def _switch(self) -> MonitorPhase:
        """Switch, or change nothing so that the next step tries again."""
        reporter = self.migration.reporter
        if not reporter.switching():
            return self
        self.course.switch_saved = True
        try:
            self.migration.guest().migrate_start_postcopy()
        except (libvirt.libvirtError, exception.NovaException) as exc:
            # QEMU does not run the migration yet, or no longer.
            LOG.info('Could not switch to post-copy yet, retrying: %s', exc,
                     instance=self.migration.instance)
            if not _is_lost_connection(exc):
                reporter.moving(switched=False)
            return self
        self.migration.summary.switched(self._reason)
        requests = self.migration.requests
        while live_migration.FORCE_COMPLETE in requests:
            requests.remove(live_migration.FORCE_COMPLETE)
        return self._after()

    def _stop(self, reason: str) -> None:
        """Abort the migration; libvirt's call then ends with an error."""
        try:
            self.migration.guest().abort_job()
        except (libvirt.libvirtError, exception.NovaException) as exc:
            LOG.info('Could not abort the live migration yet, retrying: %s',
                     exc, instance=self.migration.instance)
        else:
            self.migration.requests.append(live_migration.ABORT)
            self.course.stopped_because = reason


def _is_lost_connection(error: Exception) -> bool:
    """Tell whether libvirt did not answer: it may have switched, or not."""
    return not isinstance(error, libvirt.libvirtError) or (
        error.get_error_domain() in (libvirt.VIR_FROM_REMOTE,
                                     libvirt.VIR_FROM_RPC))
