# SPDX-License-Identifier: Apache-2.0

"""A part of ``./run faults``: of each kind of fault the one that tells most.

What each case is, and what has to come of it, is in :mod:`lab.faults`. That
the runner does what a case says is tested without a cloud.
"""

import os
import time
import types

import ddt
import fixtures
from lab.cloud import cloud as lab_cloud
from lab.cloud import restore
from lab.faults.case import Case
from lab.faults.case import End
from lab.faults.case import Fault
from lab.faults.case import Phase
from lab.faults.case import Step
from lab.faults import computes
from lab.faults import injectors
from lab.faults import matrix
from lab.faults import runner
from lab.faults import scene
from lab.faults import switch
from lab.faults import view
from lab import progress
from tests.lab import base
import testtools
from testtools import content

SEED = 1
PRE_COPY = view.View('running', view.RUNNING, 'paused', 1, 1)
POST_COPY = view.View('running (post-copy)', view.PAUSED_POST_COPY,
                      'running (post-copy)', 2, 1)
COMPLETED = view.View('completed', view.ABSENT, view.RUNNING, 2, 1)


def silent(test: testtools.TestCase) -> progress.Progress:
    stream = open(os.devnull, 'w')
    test.addCleanup(stream.close)
    return progress.Progress(stream)


@ddt.ddt
class FaultsTest(base.Case):

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        ready = computes.ready(
            lab_cloud.Cloud(say=lambda text: None), with_upstream=False)
        ready.__enter__()
        cls.addClassCleanup(ready.__exit__, None, None, None)

    def setUp(self) -> None:
        super().setUp()
        self.say = silent(self)
        scene.upload_image(self.cloud)

    @ddt.data('cut-5', 'kill-source-post-copy', 'kill-source-pre-copy',
              'lost-destination', 'database-post-copy', 'evacuate')
    def test_invariant_holds(self, name: str):
        case = runner.Runner(self.cloud, matrix.CASES[name], SEED,
                             upstream=False, say=self.say)
        violations = case.run()

        if violations:
            self.addCleanup(restore.restore, self.cloud, self.say)
        self.addDetail('timeline', content.text_content('\n'.join(
            '%.2f %s: %s' % (entry.time - case.observation.requested,
                             entry.who, entry.what)
            for entry in case.observation.timeline)))
        self.assertEqual([], violations)


class Scene:
    """A stage on which a migration goes on each time that one looks."""

    views: list[view.View] = []

    def __init__(self, cloud, observation) -> None:
        self.cloud = cloud
        self.observation = observation
        self.source = self.destination = types.SimpleNamespace(
            limit_migration_network=lambda bandwidth: None)
        self.sampler = self
        self.pulse = types.SimpleNamespace(
            samples=list, wrong_pages=0, setbacks=0)

    @property
    def view(self) -> view.View:
        seen, *Scene.views[:] = Scene.views or [COMPLETED]
        return seen

    def set(self) -> None:
        pass

    def request(self, upstream: bool) -> None:
        pass

    def final(self) -> None:
        return None

    def clear(self) -> list[str]:
        return []


class InjectorsTest(testtools.TestCase):

    def test_every_fault_can_be_injected(self):
        self.assertEqual(set(), {
            step.fault.kind
            for case in (*matrix.CASES.values(), *switch.cases(SEED))
            for step in case.steps} - set(injectors.INJECTORS))

    def test_what_is_to_be_healed_can_be(self):
        self.assertEqual([], [
            step.fault for case in matrix.CASES.values()
            for step in case.steps if step.fault.seconds is not None
            and injectors.INJECTORS[step.fault.kind].heal is None])


class RunnerTest(testtools.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.done: list[str] = []
        for name, value in {
                'lab.faults.scene.Scene': Scene,
                'lab.cloud.bringup.missing': lambda cloud: [],
                'lab.faults.view.JITTER': dict.fromkeys(Phase, 0)}.items():
            self.useFixture(fixtures.MonkeyPatch(name, value))
        self.useFixture(fixtures.MonkeyPatch(
            'lab.faults.runner.INJECTORS', {
                name: injectors.Injector(
                    lambda scene, host, name=name:
                        self.done.append('inject ' + name),
                    lambda scene, host, name=name:
                        self.done.append('heal ' + name))
                for name in ('one', 'two')}))

    def _run(self, views: list[view.View], *steps: Step):
        Scene.views = views
        case = runner.Runner(
            types.SimpleNamespace(bandwidth=1),
            Case('case', 'A case.', steps, End.COMPLETED, limit=0), SEED,
            upstream=False, say=silent(self))
        case.run()
        return case.observation.injections

    def test_a_fault_waits_for_its_phase(self):
        injections = self._run(
            [PRE_COPY] * 5 + [POST_COPY] * 20,
            Step(Phase.POST_COPY, Fault('one')))

        self.assertEqual(['inject one'], self.done)
        self.assertEqual([True], [found.hit for found in injections])

    def test_a_phase_that_does_not_come(self):
        injections = self._run(
            [PRE_COPY] * 5 + [COMPLETED] * 5,
            Step(Phase.POST_COPY, Fault('one', seconds=1)))

        self.assertEqual([], self.done)
        self.assertEqual([False], [found.hit for found in injections])

    def test_a_fault_is_healed_while_the_next_waits(self):
        self._run(
            [PRE_COPY] * 60 + [POST_COPY] * 20,
            Step(Phase.PRE_COPY, Fault('one', seconds=0.1)),
            Step(Phase.POST_COPY, Fault('two', seconds=0.1)))

        self.assertEqual(
            ['inject one', 'heal one', 'inject two', 'heal two'], self.done)

    def test_a_fault_lasts_until_the_guest_has_arrived(self):
        begin = time.monotonic()
        injections = self._run(
            [POST_COPY] * 60,
            Step(Phase.POST_COPY, Fault('one', seconds=0.1,
                                        from_arrival=True)))

        self.assertEqual(['inject one', 'heal one'], self.done)
        # 60 looks, 20 ms each.
        self.assertGreater(injections[0].end - begin, 1.0)

    def test_all_is_healed_when_a_case_fails(self):
        def fail(scene, host):
            raise ZeroDivisionError

        runner.INJECTORS['two'] = injectors.Injector(fail)

        self.assertRaises(
            ZeroDivisionError, self._run, [POST_COPY] * 60,
            Step(Phase.POST_COPY, Fault('one', seconds=60)),
            Step(Phase.POST_COPY, Fault('two')))

        self.assertEqual(['inject one', 'heal one'], self.done)
