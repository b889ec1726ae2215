# SPDX-License-Identifier: Apache-2.0

import json
import pathlib

import fixtures
import testtools

from lab import errors
from lab.faults.case import Fault
from lab.faults.observation import Injection
from lab.faults import report
from lab.faults import verdict
from tests.unit.lab.faults import base


class MissedTest(testtools.TestCase):
    """A case that was drawn, and whose moment was missed, is drawn again."""

    def setUp(self):
        super().setUp()
        self.good = report.Result(base.observation(), [])

    def missed(self, **wrong):
        seen = base.observation(injections=[
            Injection(Fault('cut'), 105.0, hit=False)], **wrong)
        return report.Result(seen, verdict.judge(seen))

    def counted(self, *results, count):
        return list(report.counted(iter(results), count))

    def test_missed(self):
        self.assertTrue(self.missed().is_missed)
        self.assertFalse(self.good.is_missed)
        self.assertEqual([self.good] * 2, self.counted(
            self.missed(), self.good, self.missed(), self.good, self.good,
            count=2))

    def test_something_else_is_wrong(self):
        for wrong in ({'wrong_pages': 3}, {'final': None},
                      {'final': base.final(bindings={})},
                      {'final': base.final(status='running')}):
            missed = self.missed(**wrong)
            self.assertFalse(missed.is_missed, wrong)
            self.assertEqual([missed], self.counted(missed, count=1))

    def test_not_enough(self):
        error = self.assertRaises(
            errors.LabError, self.counted, self.missed(), count=1)
        self.assertIn('only 0 of 1', str(error))


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

    def test_name(self):
        self.assertEqual('faults-random.json', report.name('random', False))
        self.assertEqual('faults-ceph-upstream.json',
                         report.name(None, True, 'ceph'))

    def test_json(self):
        path = pathlib.Path(self.useFixture(fixtures.TempDir()).path, 'new',
                            report.name(drawn=None, upstream=False))
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
