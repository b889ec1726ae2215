# SPDX-License-Identifier: Apache-2.0

import testtools

from lab.bench import figures
from lab.instruments import record
from lab import layout

MIB = layout.MIB


def beats(*pairs: tuple[float, int]) -> list[record.Sample]:
    return [record.Sample(time, work * MIB) for time, work in pairs]


class WorkTestCase(testtools.TestCase):
    samples = beats((1.0, 100), (2.0, 200), (4.0, 220))

    def test_between_heartbeats(self):
        for moment, work in ((1.0, 100), (1.5, 150), (2.0, 200), (3.0, 210)):
            self.assertEqual(work * MIB,
                             figures.work_at(self.samples, moment))

    def test_outside_nothing_is_known(self):
        self.assertEqual(100 * MIB, figures.work_at(self.samples, 0.0))
        self.assertEqual(220 * MIB, figures.work_at(self.samples, 9.0))
        self.assertRaises(ValueError, figures.work_at, [], 1.0)

    def test_rate_before(self):
        self.assertEqual(100 * MIB, figures.rate_before(
            self.samples, 2.0, 1.0))

    def test_lost_work(self):
        rate = 100 * MIB
        self.assertEqual(0.0, figures.lost_work(self.samples, 1.0, 2.0,
                                                rate))
        # 20 MiB in two seconds: two tenths of a second's work.
        self.assertAlmostEqual(1.8, figures.lost_work(
            self.samples, 2.0, 4.0, rate))


class RunTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.attempt = record.Attempt('post_copy', True, transferred=7,
                                      passes=1)
        self.record = record.Record(
            simulated=False, server='uuid', source='host-b',
            destination='host-a', memory=512 * MIB, working_set=400 * MIB,
            bandwidth=200 * MIB, attempts=[self.attempt], wrong_pages=3,
            samples=beats((9.0, 900), (10.0, 1000), (12.5, 1100),
                          (16.0, 1400)))

    def figures(self, **events):
        for name, moment in events.items():
            self.attempt.note(name.replace('_', ' '), moment)
        return figures.run(
            'full', 'post_copy', 2, self.record, 100.0 * MIB,
            {'memory_postcopy_requests': 5}, 0.25)

    def test_completed(self):
        run = self.figures(requested=10.0, running=10.5, switched=12.0,
                           memory_complete=14.5, completed=16.0)
        self.assertEqual(('full', 'post_copy', 2), run.key)
        self.assertEqual(('host-b', 'host-a', 'completed'),
                         (run.source, run.destination, run.result))
        self.assertEqual((6.0, 6.0, 4.5, 2.0, 2.5), (
            run.observed, run.total, run.memory_complete, run.switch,
            run.degraded))
        self.assertEqual(3.5, run.silence)
        self.assertEqual(2.0, run.lost_work)
        self.assertEqual((7, 1, 5, 0.25, 3), (
            run.moved, run.passes, run.pages_on_demand, run.compute_cpu,
            run.wrong_pages))

    def test_aborted_at_its_limit(self):
        run = self.figures(requested=10.0, running=10.5, aborted=15.0,
                           cancelled=16.0)
        self.assertEqual('aborted', run.result)
        self.assertEqual(6.0, run.observed)
        for figure in (run.total, run.memory_complete, run.switch,
                       run.degraded):
            self.assertIsNone(figure)

    def test_ended_without_having_been_aborted(self):
        self.assertEqual('failed', self.figures(
            requested=10.0, cancelled=16.0).result)
