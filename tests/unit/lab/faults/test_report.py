# SPDX-License-Identifier: Apache-2.0

import json
import pathlib

import fixtures
import testtools

from lab.faults.case import Fault
from lab.faults.observation import Injection
from lab.faults import report
from lab.faults import verdict
from tests.unit.lab.faults import base


class ReportTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.results = [
            report.Result(base.observation(), []),
            report.Result(base.observation(samples=[], final=None,
                                           settled=None),
                          ['the guest was never heard', 'and more']),
        ]

    def test_table(self):
        self.assertEqual(
            'case  seed  blackout  beyond cut  recovery  '
            'final records                          verdict\n'
            'case  1     1.0 s     1.0 s       8.0 s     '
            'ACTIVE on host-b, migration completed  ok\n'
            'case  1     -         -           -         '
            'not seen                               '
            'the guest was never heard; and more',
            report.table(self.results))

    def test_missed(self):
        missed = base.observation(injections=[
            Injection(Fault('cut'), 105.0, hit=False)])
        self.assertTrue(report.Result(
            missed, verdict.judge(missed)).is_missed)
        missed.wrong_pages = 3
        self.assertFalse(report.Result(
            missed, verdict.judge(missed)).is_missed)
        self.assertFalse(self.results[0].is_missed)

    def test_json(self):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'new',
                            report.name(random=False, upstream=False))
        self.results[0].observation.note(101.5, 'nova', 'running')

        report.save(self.results[:1], False, path)
        report.save(self.results, False, path)

        self.assertEqual('faults.json', path.name)
        self.assertEqual([path], list(path.parent.iterdir()))
        written = json.loads(path.read_text())

        self.assertEqual((2, 1), (written['cases'], written['violated']))
        first, second = written['results']
        self.assertEqual([[1.5, 'nova', 'running']], first['timeline'])
        self.assertEqual(
            [{'fault': 'cut for 5 s', 'begin': 5.0, 'end': 10.0,
              'hit': True, 'answer': None}], first['faults'])
        self.assertEqual({'host-b': 1}, first['final']['processes'])
        self.assertIsNone(second['final'])
        self.assertEqual(2, len(second['violations']))
