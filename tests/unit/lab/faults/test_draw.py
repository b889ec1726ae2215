# SPDX-License-Identifier: Apache-2.0

import hypothesis
from hypothesis import strategies
import testtools

from lab.faults.case import End
from lab.faults.case import Fault
from lab.faults.case import NETWORK
from lab.faults.case import Phase
from lab.faults import draw
from lab.faults import matrix
from lab.faults import switch
from lab.faults import users
from lab.faults import view

SEEDS = strategies.integers(0, 10 ** 6)


class DrawTest(testtools.TestCase):

    @hypothesis.given(SEEDS, SEEDS)
    def test_same_seed_same_case(self, seed, number):
        self.assertEqual(draw.draw(seed, number), draw.draw(seed, number))

    @hypothesis.given(SEEDS, SEEDS)
    def test_the_case_makes_sense(self, seed, number):
        case = draw.draw(seed, number)
        first = case.steps[0]

        self.assertIn(first.phase, view.JITTER)
        self.assertNotIn(first.phase, (Phase.IDLE, Phase.RECOVERY))
        for step in case.steps:
            self.assertIn(step.fault.kind, (*NETWORK, *draw._SECONDS,
                                            'force complete'))
        if first.fault.kind in ('kill QEMU', 'libvirt abort'):
            self.assertIs(Phase.POST_COPY, first.phase)
        # Only what breaks the streams has a recovery to go wrong in.
        if len(case.steps) > 1:
            self.assertTrue({step.fault.kind for step in case.steps}
                            & set(NETWORK))
        self.assertEqual(case.end is End.LOST,
                         first.fault.kind == 'kill QEMU')

    def test_every_fault_and_phase_is_drawn(self):
        steps = [step for number in range(2000)
                 for step in draw.draw(1, number).steps]

        self.assertEqual({*draw._SECONDS, *switch.KINDS, 'force complete'},
                         {step.fault.kind for step in steps})
        self.assertEqual({*draw._PHASES, Phase.RECOVERY, Phase.FORCED},
                         {step.phase for step in steps})


class ExpectedTest(testtools.TestCase):

    def test_nothing_but_a_dead_qemu_ends_post_copy(self):
        for kind in draw._SECONDS:
            end = draw.expected(Fault(kind), Phase.POST_COPY)
            self.assertIs(
                End.LOST if kind == 'kill QEMU' else End.COMPLETED, end)

    def test_who_only_looks_on_does_not_end_pre_copy(self):
        for kind in ('kill nova-compute', 'stop database', 'stop RabbitMQ'):
            self.assertIs(End.COMPLETED,
                          draw.expected(Fault(kind), Phase.PRE_COPY))
        self.assertIs(End.EITHER, draw.expected(Fault('cut'), Phase.PRE_COPY))


class MatrixTest(testtools.TestCase):

    def test_names_are_unique(self):
        cases = [case for part in (
            matrix._network, matrix._compute, matrix._services,
            matrix._volumes, matrix._libvirt, matrix._lost, matrix._pre_copy,
            matrix._conductor, matrix._containers, matrix._isolated,
            users.cases) for case in part()]

        self.assertEqual(len(matrix.CASES), len(cases))

    def test_every_phase_has_cases(self):
        self.assertEqual(set(Phase), {
            step.phase for case in matrix.CASES.values()
            for step in case.steps})
