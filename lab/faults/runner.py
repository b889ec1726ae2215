# SPDX-License-Identifier: Apache-2.0

"""Carry out one case. The loop is thin: what it means is decided elsewhere."""

from __future__ import annotations

import random
import time
import typing

from lab.cloud import bringup
from lab.cloud import speed
from lab.faults.case import Case
from lab.faults.case import Phase
from lab.faults.injectors import INJECTORS
from lab.faults.observation import Injection
from lab.faults.observation import Observation
from lab.faults import scene as faults_scene
from lab.faults import verdict
from lab.faults import view
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab import progress

# Seconds.
_POLL_S = 0.02
_SETTLE_POLL_S = 0.5
_HOLD_S = 2.0             # that a right end has to stay right
_PHASE_LIMIT_S = 60.0     # for a phase to come
_FORCE_INTERVAL_S = 0.5   # between two attempts

# A link on which post-copy takes some seconds, or outlasts a restart.
_SLOW_BYTES_PER_S = (20 * layout.MIB, 40 * layout.MIB)


class Runner:
    """One case.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up, without servers
    :param seed: of the moments, and of the speed of the link
    :param upstream: without a word of post-copy in the request; it is forced
        by hand after the first pass over memory
    """

    def __init__(self, cloud: lab_cloud.Cloud, case: Case, seed: int,
                 upstream: bool, say: progress.Progress) -> None:
        source, destination = layout.HOSTS
        self._cloud = cloud
        self._case = case
        self._upstream = upstream
        self._say = say
        self._random = random.Random('%s %d' % (case.name, seed))
        # Services that are slower get a phase that is longer.
        self._slow = speed.slowed(self._random.choice(_SLOW_BYTES_PER_S))
        self._release = self._random.choice((True, False))
        self._to_force = upstream
        self._force_due = 0.0
        self.observation = Observation(
            case, seed, source.name, destination.name,
            slowness=wait.slowness)
        self._scene = faults_scene.Scene(cloud, self.observation)
        self._to_heal: list[Injection] = []
        self._arrived: float | None = None
        self._limited = cloud.bandwidth

    def run(self) -> list[str]:
        """Carry the case out, and leave no trace of it.

        :returns: violations, in sentences
        """
        try:
            try:
                self._scene.set()
                self._request()
                self._inject_all()
                self._heal_all()
                self._settle()
            finally:
                self._heal_all(at_once=True)
                self._limit(self._cloud.bandwidth)
            self._close()
            violations = verdict.judge(self.observation)
        finally:
            wrong = self._scene.clear()
        return violations + wrong

    def _request(self) -> None:
        case = self._case
        if case.waits_for(Phase.PRE_COPY):
            self._limit(self._slow)
        self._steps = list(case.steps)
        while self._steps and self._steps[0].phase is Phase.IDLE:
            self._inject(self._steps.pop(0).fault, hit=True)
        self.observation.requested = time.monotonic()
        self._note('requested')
        self._scene.request(self._upstream)

    def _inject_all(self) -> None:
        """Inject each fault at its moment."""
        for step in self._steps:
            if not self._wait_for(lambda: view.is_in(
                    step.phase, self._scene.sampler.view)):
                self._note('%s never came' % step.phase.value)
                self.observation.injections.append(Injection(
                    step.fault, time.monotonic(), hit=False))
                return
            jitter = (view.JITTER[step.phase] if step.jitter is None
                      else step.jitter)
            moment = time.monotonic() + step.after + self._random.uniform(
                0, jitter)
            self._wait_for(lambda: time.monotonic() >= moment)
            self._inject(step.fault, hit=view.still_in(
                step.phase, self._scene.sampler.view))

    def _wait_for(self, condition) -> bool:
        end = time.monotonic() + wait.scaled(_PHASE_LIMIT_S)
        while not condition():
            self._look_after_things()
            now = self._scene.sampler.view
            if now.is_final or time.monotonic() > end:
                return condition()
            time.sleep(_POLL_S)
        return True

    def _look_after_things(self) -> None:
        """Do what is due by the time or by the state of the migration."""
        now = self._scene.sampler.view
        if self._arrived is None and view.has_arrived(now):
            self._arrived = time.monotonic()
        for injection in list(self._to_heal):
            if time.monotonic() >= self._due(injection):
                self._heal(injection)
        if now.source == view.PAUSED_POST_COPY and self._case.waits_for(
                Phase.POST_COPY, Phase.RECOVERY):
            self._limit(self._slow)
        elif now.iteration > 1 and self._to_force and (
                time.monotonic() >= self._force_due):
            self._force()

    def _force(self) -> None:
        """Force completion; it may be refused until Nova has caught up."""
        self._force_due = time.monotonic() + _FORCE_INTERVAL_S
        code, text = INJECTORS['force complete'].inject(self._scene, None)
        self._to_force = code == 409
        self._note('force complete: %d %s' % (code, text))

    def _inject(self, fault, hit: bool) -> None:
        self._note('inject: %s' % fault)
        injection = Injection(fault, time.monotonic(), hit)
        self.observation.injections.append(injection)
        if fault.seconds is not None:
            self._to_heal.append(injection)
        injection.answer = INJECTORS[fault.kind].inject(
            self._scene, self._host(fault))
        if injection.answer is not None:
            self._note('answer: %d %s' % injection.answer)

    def _due(self, injection: Injection) -> float:
        """Return when a fault is to be healed."""
        begin = injection.begin
        if injection.fault.from_arrival:
            # Also if the guest never arrives.
            begin = self._arrived or begin + wait.scaled(_PHASE_LIMIT_S)
        return begin + injection.fault.seconds

    def _heal(self, injection: Injection) -> None:
        self._to_heal = [other for other in self._to_heal
                         if other is not injection]
        self._note('heal: %s' % injection.fault)
        INJECTORS[injection.fault.kind].heal(
            self._scene, self._host(injection.fault))
        injection.end = time.monotonic()

    def _heal_all(self, at_once: bool = False) -> None:
        while self._to_heal:
            if at_once:
                self._heal(self._to_heal[0])
            else:
                self._look_after_things()
                time.sleep(_POLL_S)

    def _host(self, fault):
        return {'source': self._scene.source,
                'destination': self._scene.destination}.get(fault.where)

    def _settle(self) -> None:
        """Wait until all is right, and see that it stays so."""
        observation = self.observation
        if self._release:
            self._limit(self._cloud.bandwidth)
        since = observation.healed() or time.monotonic()
        right = None
        limit = wait.scaled(self._case.limit)
        while time.monotonic() < since + limit or right:
            observation.final = self._scene.final()
            now = time.monotonic()
            wrong = verdict.judge_end(observation)
            if observation.missed() and self._scene.sampler.view.is_final:
                break       # which end is right, is not known
            self._say.update('%s: %s' % (
                self._case.name, wrong[0] if wrong else 'as it has to be'))
            if wrong:
                right = None
            else:
                right = right or now
                if now >= right + wait.scaled(_HOLD_S):
                    observation.settled = right
                    break
            time.sleep(_SETTLE_POLL_S)

    def _limit(self, bandwidth: int) -> None:
        if bandwidth != self._limited:
            self._limited = bandwidth
            self._scene.source.limit_migration_network(bandwidth)

    def _note(self, what: str) -> None:
        self.observation.note(time.monotonic(), 'case', what)
        self._say.update('%s: %s' % (self._case.name, what))

    def _close(self) -> None:
        """Complete the observation."""
        pulse = self._scene.pulse
        observation = self.observation
        observation.ended = time.monotonic()
        observation.samples = pulse.samples()
        observation.wrong_pages = pulse.wrong_pages
        observation.setbacks = pulse.setbacks
        observation.missing = bringup.missing(self._cloud)
