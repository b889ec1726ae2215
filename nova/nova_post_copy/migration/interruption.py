# SPDX-License-Identifier: Apache-2.0

"""The phase in which the stream is broken: recover the migration.

One step of the monitor's loop at a time: collect the situation, ask
:mod:`nova_post_copy.decisions.recovery`, carry out its answer.
"""

import time

import futurist
from oslo_log import log as logging

import nova.conf
from nova.i18n import _

from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import recovery
from nova_post_copy.migration.link import Answer
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration import phase
from nova_post_copy.migration.phase import MonitorPhase
from nova_post_copy.migration.result import End
from nova_post_copy.migration.result import Result

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Seconds between two requests to the destination's nova-compute.
ASK_INTERVAL_S = 5.0

# Conditions on the source once the stream is no longer broken.
_RESUMED = (Condition.POST_COPY, Condition.MIGRATING, Condition.MIGRATED,
            Condition.ABSENT)


class Interruption(MonitorPhase):
    """The time from the break of a stream until it resumes.

    :param interrupted: the phase that continues when the stream does
    """

    def __init__(self, migration: LiveMigration,
                 operation: futurist.Future | None,
                 interrupted: MonitorPhase) -> None:
        super().__init__(migration, operation)
        self._link = migration.link
        self._reporter = migration.reporter
        self._interrupted = interrupted
        self._began = self._heard = self._failed = time.monotonic()
        self._asked = -ASK_INTERVAL_S
        self._failures = self._daemon_ends = 0
        # What the attempt goes to, and since when.
        self._attempted = ('', 0.0)
        self._waits_because = ''
        self._error = ''
        self._question: futurist.Future | None = None
        self._answer = self._answer_before = Answer(None, False)
        self._refused = self._unreachable = False
        #: libvirt's call that resumes; its result is None or its error
        self.attempt: futurist.Future | None = None
        self.migration.slot.give_back()
        self._reporter.interrupted(
            self.error() if self.operation_is_over() else
            _('the stream is stalled'))

    def beat(self) -> float:
        return phase.QUICK_BEAT_S

    def step(self, found: Condition, over: bool) -> MonitorPhase | Result:
        if found is Condition.BROKEN:
            reason = self._recover()
            return self if reason is None else Result(End.LOST, reason)
        if found in _RESUMED:
            # The attempt that succeeded is the operation from now on.
            self._interrupted.carry_on(self.attempt)
            self._reporter.resumed()
            return self._interrupted.step(found, over)
        reached = self._interrupted.step(found, over)
        return self if reached is self._interrupted else reached

    def _recover(self) -> str | None:
        """Take the next step of recovery.

        :returns: why recovery was given up; None while it continues
        """
        self._ask()
        self._look_at_attempt()
        address = None
        if self.attempt is None:
            address = self._link.open_address(self._failures)
            if address is None:
                self._failures += 1
        now = time.monotonic()
        decision = recovery.decide(
            recovery.Situation(
                elapsed=now - self._began,
                destination=self._destination(),
                reachable=address is not None,
                since_attempt=now - self._failed,
                given_up=self._answer.given_up,
                refused=self._refused,
                attempting=self.attempt is not None,
                calling=not self.operation_is_over(),
                resume_refusal=self._link.resume_refusal,
                daemon_ends=self._daemon_ends,
                newest=self._answer.destination),
            timeout=CONF.post_copy.recovery_timeout)
        # RESUME is decided only if an address is reachable.
        if decision.action is recovery.Action.RESUME and address is not None:
            self._attempted = (address, now)
            self.attempt = self._link.resume(address)
        elif decision.action is recovery.Action.LET_GO:
            self._refused = False
            # If that fails, it is for the next two answers to say so again.
            self._answer_before = Answer(None, False)
            self._link.let_go(decision.reason)
        elif decision.action is recovery.Action.GIVE_UP:
            return decision.reason
        elif decision.reason and decision.reason != self._waits_because:
            self._waits_because = decision.reason
            LOG.warning('The post-copy migration is not resumed: %s',
                        decision.reason, instance=self.migration.instance)
        return None

    def _ask(self) -> None:
        now = time.monotonic()
        if self._question is None:
            if now - self._asked >= ASK_INTERVAL_S:
                self._asked = now
                self._question = self._link.ask()
        elif self._question.done():
            self._answer_before = self._answer
            self._answer = self._question.result()
            if self._answer.destination != self._answer_before.destination:
                self._refused = False
            self._question = None
            if self._answer.destination is not None:
                self._heard = now
        if (now - self._heard > recovery.SILENT_AFTER_S and
                not self._unreachable):
            self._unreachable = True
            self._reporter.unreachable()

    def _destination(self) -> Condition | None:
        """Return what the destination reports, if it has reported it twice."""
        if self._answer.destination == self._answer_before.destination:
            return self._answer.destination
        return None

    def _look_at_attempt(self) -> None:
        if self.attempt is None or not self.attempt.done():
            return
        error = self.attempt.result()
        self.attempt = None
        self._refused = error is not None
        self._failed = time.monotonic()
        self._failures += 1
        address, began = self._attempted
        if (error is not None and
                self._failed - began < recovery.DAEMON_END_WITHIN_S and
                self._link.daemon_has_ended(address, error)):
            self._daemon_ends += 1
        if error is not None and str(error) != self._error:
            self._error = str(error)
            LOG.info('The post-copy migration could not be resumed yet: %s',
                     error, instance=self.migration.instance)
