# SPDX-License-Identifier: Apache-2.0

import hypothesis
from hypothesis import strategies
import testtools

from lab.faults.case import Fault
from lab.faults.observation import Injection
from tests.unit.lab.faults import base

MOMENTS = strategies.floats(100, 120)


def cut(begin: float, end: float | None) -> Injection:
    return Injection(Fault('cut', seconds=5), begin, True, end)


class BlackoutTest(testtools.TestCase):

    def test_longest_silence(self):
        seen = base.observation(moments=[99, 101, 104, 119])

        self.assertEqual(15, seen.blackout())

    def test_silence_before_the_request_does_not_count(self):
        seen = base.observation(moments=[50, 101, *range(101, 120)])

        self.assertEqual(1, seen.blackout())

    def test_silence_until_the_end_counts(self):
        seen = base.observation(moments=[99, 100])

        self.assertEqual(20, seen.blackout())

    def test_never_heard(self):
        seen = base.observation(samples=[])

        self.assertIsNone(seen.blackout())
        self.assertIsNone(seen.blackout_beyond_cuts())

    def test_time_of_the_cut_is_taken_off(self):
        seen = base.observation(moments=[99, 106, 113, *range(114, 120)],
                                injections=[cut(105, 110)])

        # From 106 to 113, of which the network was there for three seconds;
        # from 100 to 106 it was there for five.
        self.assertEqual(7, seen.blackout())
        self.assertEqual(5, seen.blackout_beyond_cuts())

    def test_a_cut_that_was_not_healed_lasts_until_the_end(self):
        seen = base.observation(moments=[100, 105],
                                injections=[cut(105, None)])

        self.assertEqual(5, seen.blackout_beyond_cuts())

    @hypothesis.given(
        strategies.lists(MOMENTS, min_size=1),
        strategies.lists(strategies.tuples(MOMENTS, MOMENTS)))
    def test_cuts_that_overlap_are_taken_off_once(self, moments, cuts):
        seen = base.observation(moments=sorted(moments), injections=[
            cut(min(both), max(both)) for both in cuts])

        merged = seen.cuts()

        for (_, end), (begin, _) in zip(merged, merged[1:]):
            self.assertLess(end, begin)
        self.assertTrue(
            0 <= seen.blackout_beyond_cuts() + 1e-6
            and seen.blackout_beyond_cuts() <= seen.blackout())
        self.assertGreaterEqual(
            seen.blackout_beyond_cuts() + 1e-6,
            seen.blackout() - sum(end - begin for begin, end in merged))


class RecoveryTest(testtools.TestCase):

    def test_from_the_end_of_the_last_fault(self):
        seen = base.observation(injections=[cut(101, 103), cut(104, 112)])

        self.assertEqual(6, seen.recovery())

    def test_never_settled(self):
        self.assertIsNone(base.observation(settled=None).recovery())
