# SPDX-License-Identifier: Apache-2.0

import testtools

from lab.bench import costs
from lab.bench import modes
from lab.bench import report
from tests.unit.lab.bench import recorded

API = {'below': '2.104', 'ours': '2.105', 'requests': [
    {'request': 'GET /os-migrations', 'below': 0.02, 'ours': 0.021,
     'ratio': 1.05},
    {'request': 'os-migrateLive', 'below': 0.04, 'ours': 0.05,
     'ratio': 1.25}]}
EVACUATION = {'runs': [
    {'servers': servers, 'concurrent': concurrent, 'total': 4.0 * servers,
     'ideal': 0.64 * servers, 'slowest': 3.0, 'silence': 0.25}
    for servers, concurrent in ((4, 4), (1, 4), (16, 1))]}


class CostsTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.bench = recorded.bench()

    def test_nothing_measured(self):
        self.assertEqual([], costs.tables(self.bench))
        self.assertEqual([], costs.goals(self.bench))

    def test_requests(self):
        self.bench.costs['api'] = API
        (title, rows), = costs.tables(self.bench)
        self.assertEqual([
            ('request', 'at 2.104', 'at 2.105', 'ratio'),
            ('GET /os-migrations', '20.0 ms', '21.0 ms', '1.050'),
            ('os-migrateLive', '40.0 ms', '50.0 ms', '1.250')], rows)
        self.assertEqual([True, False], [
            goal.passed for goal in costs.goals(self.bench)])

    def test_tail(self):
        self.bench.costs['tail'] = {'migrations': [
            {'ours': ours, 'noticed': noticed, 'handed_over': 0.04,
             'completed': 0.25} for ours, noticed in (
                 (True, 0.2), (False, 0.4), (False, 0.4))]}
        (title, (heads, *rows)), = costs.tables(self.bench)
        self.assertEqual([
            ('upstream', '2', '0.40 s', '0.04 s', '0.25 s'),
            ('nova-post-copy', '1', '0.20 s', '0.04 s', '0.25 s')], rows)

    def test_evacuation(self):
        self.bench.costs['evacuation'] = EVACUATION
        (title, (heads, *rows)), = costs.tables(self.bench)
        self.assertEqual([('16', '1'), ('1', '4'), ('4', '4')],
                         [row[:2] for row in rows])
        self.assertEqual(('64.0 s', '10.2 s', '6.25'), rows[0][2:5])

    def monitors(self, *seconds):
        self.bench.costs['monitors'] = {'runs': [
            {'migrations': migrations, 'seconds': 20.0, 'cpu': cpu,
             'wakes': 20 * migrations, 'saved': 15 * migrations}
            for migrations, cpu in zip((1, 10, 1000), seconds)]}
        goal, = costs.goals(self.bench)
        return goal

    def test_monitors(self):
        goal = self.monitors(0.02, 0.1, 8.0)
        self.assertTrue(goal.passed)
        self.assertIn('each takes 0.80 times', goal.sentence)
        self.assertFalse(self.monitors(0.02, 0.1, 20.0).passed)
        (title, rows), = costs.tables(self.bench)
        self.assertEqual(
            ('10', '0.5 %', '5.00e-04 s/s', '1.00 /s', '0.75 /s'), rows[2])

    def test_network(self):
        self.bench.network += [
            *recorded.runs('force-complete', 8.0, 9.0, 10.0, guest='linux'),
            *recorded.runs(modes.OURS, 4.0, guest='linux')]
        (title, rows), = costs.tables(self.bench)
        self.assertEqual(
            [('3', '0.12 s'), ('1', '0.12 s')],
            [row[1:3] for row in rows[1:]])
        self.assertEqual('2.2 s (2.1 s to 2.4 s)', rows[1][3])
        self.assertIn('How long a server with a port is silent\nway',
                      report.text(self.bench))
