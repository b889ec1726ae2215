# SPDX-License-Identifier: Apache-2.0

"""Carry a migration over a broken stream.

One step of the monitor's loop at a time: look how things are, ask
:mod:`.recovery`, carry out its answer.
"""

import time

import futurist
from oslo_log import log as logging

import nova.conf
from nova import objects

from nova_post_copy.decisions import condition
from nova_post_copy.decisions import recovery
from nova_post_copy.migration.link import Answer
from nova_post_copy.migration.link import Link
from nova_post_copy.migration.reporter import Reporter

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Seconds between two questions to the destination's nova-compute.
ASK_INTERVAL_S = 5.0


class Interruption:
    """The time from the break of a stream until it goes on."""

    def __init__(self, instance: objects.Instance, link: Link,
                 reporter: Reporter) -> None:
        self._instance = instance
        self._link = link
        self._reporter = reporter
        self._began = self._heard = self._failed = time.monotonic()
        self._asked = -ASK_INTERVAL_S
        self._failures = 0
        self._error = ''
        self._question: futurist.Future | None = None
        self._answer = self._answer_before = Answer(None, False)
        self._refused = self._unreachable = False
        #: libvirt's call that resumes; its result is None or its error
        self.attempt: futurist.Future | None = None

    def step(self) -> str | None:
        """Do what there is to do.

        :returns: why recovery was given up; None as long as it goes on
        """
        self._ask()
        self._look_at_attempt()
        if self.attempt is not None:
            return None
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
                decided=self._answer.decided,
                refused=self._refused),
            timeout=CONF.post_copy.recovery_timeout)
        if decision.action is recovery.Action.RESUME:
            self.attempt = self._link.resume(address)
        elif decision.action is recovery.Action.LET_GO:
            self._refused = False
            self._link.let_go()
        elif decision.action is recovery.Action.GIVE_UP:
            return decision.reason
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

    def _destination(self) -> condition.Condition | None:
        """What the destination says, if it has said so twice."""
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
        if error is not None and str(error) != self._error:
            self._error = str(error)
            LOG.info('The post-copy migration could not be resumed yet: %s',
                     error, instance=self._instance)
