# SPDX-License-Identifier: Apache-2.0

import testtools

from lab.faults.case import End
from lab.faults.case import Fault
from lab.faults.case import NETWORK
from lab.faults.case import Phase
from lab.faults import switch


class CasesTest(testtools.TestCase):

    def test_same_seed_same_cases(self):
        self.assertEqual(switch.cases(1), switch.cases(1))
        self.assertNotEqual(switch.cases(1), switch.cases(2))

    def test_each_moment_once(self):
        moments = []
        for case in switch.cases(1):
            first, second = case.steps
            self.assertEqual((Phase.PRE_COPY, Phase.FORCED),
                             (first.phase, second.phase))
            # The moment is exact.
            self.assertEqual(0, first.jitter)
            moments.append(second.after if second.fault.kind in NETWORK
                           else -second.after)
        self.assertEqual(list(switch.MOMENTS), moments)
        self.assertEqual((-1.0, switch.COUNT), (moments[0], len(moments)))
        self.assertLess(1.5, moments[-1])

    def test_each_kind_is_there(self):
        kinds = {step.fault.kind for case in switch.cases(1)
                 for step in case.steps} - {'force complete'}

        self.assertLessEqual(kinds, set(NETWORK))
        self.assertLessEqual(len(switch.KINDS) - 4, len(kinds))

    def test_as_often_short_as_long(self):
        seconds = sorted(
            step.fault.seconds for seed in range(50)
            for case in switch.cases(seed) for step in case.steps
            if step.fault.seconds is not None)

        self.assertEqual((0.1, 30.0), (seconds[0], round(seconds[-1])))
        self.assertAlmostEqual(1.7, seconds[len(seconds) // 2], delta=0.4)


class ExpectedTest(testtools.TestCase):

    def test_what_can_be_repaired(self):
        for kind, seconds, end in (
                ('drop', 10, End.EITHER), ('lose 30 % of QEMU', 1, End.EITHER),
                ('drop of libvirt', 25, End.ANY), ('reset', 0.1, End.ANY),
                ('reset of QEMU', 1, End.ANY)):
            self.assertIs(end, switch.expected(Fault(kind, seconds=seconds)))
