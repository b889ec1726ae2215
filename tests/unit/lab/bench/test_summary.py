# SPDX-License-Identifier: Apache-2.0

import math

import testtools

from lab.bench import modes
from lab.bench import summary
from tests.unit.lab.bench import recorded


class SpreadTestCase(testtools.TestCase):

    def test_nothing(self):
        self.assertIsNone(summary.Spread.of([]))

    def test_quartiles(self):
        self.assertEqual(summary.Spread(3, 2, 4, 5),
                         summary.Spread.of([5, 1, 3, 2, 4]))
        self.assertEqual(summary.Spread(1.5, 1.25, 1.75, 2),
                         summary.Spread.of([1, 2]))

    def test_never(self):
        never = math.inf
        self.assertEqual(summary.Spread(8, 7, never, 5), summary.Spread.of(
            [7, never, 6, 8, never]))
        self.assertEqual(never, summary.Spread.of([never, 1, never]).median)
        self.assertEqual(summary.Spread(never, never, never, 2),
                         summary.Spread.of([never, never]))


class CompareTestCase(testtools.TestCase):

    def test_by_more_than_the_spread_of_both(self):
        ours = summary.Spread.of([5, 6, 7])
        for other, verdict in (
                ([8, 9, 10], summary.Verdict.AHEAD),
                ([6, 7, 8], summary.Verdict.EQUAL),
                ([5, 6, 7], summary.Verdict.EQUAL),
                ([3, 4, 5], summary.Verdict.BEHIND),
                ([math.inf] * 3, summary.Verdict.AHEAD)):
            self.assertEqual(verdict, summary.compare(
                ours, summary.Spread.of(other)))

    def test_finer_than_can_be_measured(self):
        ours, other = (summary.Spread.of([value]) for value in (5.0, 5.15))
        self.assertEqual(summary.Verdict.AHEAD, summary.compare(ours, other))
        for pair in ((ours, other), (other, ours)):
            self.assertEqual(summary.Verdict.EQUAL,
                             summary.compare(*pair, resolution=0.2))


class GoalsTestCase(testtools.TestCase):

    def goals(self, *runs):
        return summary.goals(recorded.bench(*runs))

    def missed(self, *runs):
        return [goal.sentence for goal in self.goals(*runs)
                if not goal.passed]

    def test_all_met(self):
        runs = [*recorded.runs('pre-copy', None, None, None),
                *recorded.runs('force-complete', 10, 11, 12),
                *recorded.runs(modes.OURS, 4, 5, 6)]
        self.assertEqual([], self.missed(*runs))
        # The bound, wrong and failed runs, and two for each other way.
        self.assertEqual(7, len(self.goals(*runs)))
        self.assertIn('all hot, total: ahead of pre-copy '
                      '(5.0 s against never).',
                      [goal.sentence for goal in self.goals(*runs)])

    def test_too_slow(self):
        missed, = self.missed(*recorded.runs(modes.OURS, 5.1, 5.3, 5.5))
        self.assertIn('moved in 5.3 s, at most 5.2 s are wanted', missed)

    def test_behind(self):
        total, lost = self.missed(
            *recorded.runs('pre-copy', 3, 3.1, 3.2, guest='idle'),
            *recorded.runs(modes.OURS, 4, 4.1, 4.2, guest='idle'))
        self.assertEqual(
            'idle, total: behind pre-copy (4.1 s against 3.1 s).', total)

    def test_a_single_run_is_not_compared(self):
        self.assertEqual([], self.missed(
            *recorded.runs('pre-copy', 3, 3.1, guest='idle'),
            *recorded.runs(modes.OURS, 4, 4.1, 4.2, guest='idle')))

    def test_virsh_is_no_rival(self):
        self.assertEqual([], self.missed(
            *recorded.runs('virsh', 1, 1, 1),
            *recorded.runs(modes.OURS, 5, 5, 5)))

    def test_a_wrong_page(self):
        missed, = self.missed(*recorded.runs(modes.OURS, 4, wrong_pages=2))
        self.assertIn('had written, in 1 migrations: 2', missed)

    def test_a_failed_run(self):
        missed, = self.missed(recorded.run(
            modes.OURS, None, result='failed', error='no way'))
        self.assertIn('full, post_copy, 1 (no way)', missed)


class RatioTestCase(testtools.TestCase):

    def test_ratio(self):
        two, four = (summary.Spread.of([value]) for value in (2.0, 4.0))
        self.assertEqual(2.0, summary.ratio(four, two))
        self.assertEqual(0.5, summary.ratio(two, 4))
        never = summary.Spread.of([math.inf])
        for pair in ((None, two), (two, None), (never, two), (two, never),
                     (two, 0)):
            self.assertIsNone(summary.ratio(*pair))


class SecondsTestCase(testtools.TestCase):

    def test_seconds(self):
        self.assertEqual(
            ['-', 'never', '0.12 s', '-0.10 s', '12.3 s'],
            [summary.seconds(value) for value in (
                None, math.inf, 0.123, -0.1, 12.34)])
