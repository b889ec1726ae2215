# SPDX-License-Identifier: Apache-2.0

import contextlib
import io
import json
import pathlib

import fixtures
import testtools

from lab.demo import command
from lab import errors
from lab.instruments import record
from tests.unit.lab.instruments import test_record

LACK = 'The lab makes network namespaces, which takes root.'


class DemoTestCase(testtools.TestCase):
    """Everything around the run itself, which needs a whole Nova."""

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.useFixture(fixtures.TempDir()).path, 'new')
        self.run_in_lab = self.runs(
            'lab.demo.command._in_lab', simulated=False)
        self.run_simulated = self.runs(
            'lab.demo.command._simulated', simulated=True)
        self.lacks()

    def runs(self, name, **fields):
        run = test_record.run(**fields)
        self.useFixture(fixtures.MonkeyPatch(
            name, lambda *args: contextlib.nullcontext(lambda is_last: run)))
        return run

    def lacks(self, *sentences):
        self.useFixture(fixtures.MonkeyPatch(
            'lab.cloud.preflight.missing', lambda: list(sentences)))

    def main(self, *argv):
        """Run the demo and return its exit status and what it printed."""
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            status = command.main([*argv, '--output', str(self.folder)])
        return status, printed.getvalue()

    def written(self):
        return json.loads((self.folder / 'demo.json').read_text())

    def test_on_the_real_lab(self):
        status, printed = self.main()
        self.assertEqual(0, status)
        self.assertIn(self.run_in_lab.table(), printed)
        self.assertIn('ok     The guest works.', printed)
        self.assertNotIn('simulated', printed.lower())
        self.assertIs(False, self.written()['simulated'])
        self.assertTrue((self.folder / 'demo.png').exists())

    def test_simulated_on_request(self):
        status, printed = self.main('--simulated')
        self.assertEqual(0, status)
        self.assertIn('SIMULATED HOSTS', printed)
        self.assertNotIn('cannot host', printed)
        self.assertIs(True, self.written()['simulated'])

    def test_simulated_where_the_machine_cannot_host_the_lab(self):
        self.lacks(LACK)
        status, printed = self.main()
        self.assertEqual(0, status)
        self.assertIn(LACK, printed)
        self.assertIn('SIMULATED HOSTS', printed)
        self.assertIs(True, self.written()['simulated'])

    def test_a_failed_part_of_the_proof(self):
        self.run_in_lab.checks.append(record.Check(
            'memory', False, 'A page was wrong.'))
        status, printed = self.main()
        self.assertEqual(1, status)
        self.assertIn('FAILED A page was wrong.', printed)
        self.assertIs(False, self.written()['passed'])

    def repeats(self, *runs):
        """Make these runs, or raise these errors, one after the other."""
        self.last = []
        left = iter(runs)

        def make(is_last):
            self.last.append(is_last)
            run = next(left)
            if isinstance(run, Exception):
                raise run
            return run

        self.useFixture(fixtures.MonkeyPatch(
            'lab.demo.command._in_lab',
            lambda *args: contextlib.nullcontext(make)))
        return self.main('--repeat', str(len(runs)))

    def test_several_runs(self):
        status, printed = self.repeats(
            test_record.run(), test_record.run(slowness=3.0))
        self.assertEqual(0, status)
        self.assertEqual([False, True], self.last)
        for folder in ('demo-1', 'demo-2'):
            self.assertTrue((self.folder / folder / 'demo.json').exists())
        self.assertIn('run 2: ok     post-copy completed after 8.0 s', printed)
        self.assertIn('limits 3 times as long', printed)
        self.assertIn('2 of 2 runs ended well.', printed)

    def test_one_of_several_runs_fails(self):
        status, printed = self.repeats(
            errors.LabError('no end\n  the end of a log'), test_record.run())
        self.assertEqual(1, status)
        self.assertIn('run 1: FAILED no end\nrun 2: ok', printed)
        self.assertIn('1 of 2 runs ended well.', printed)

    def test_no_proof_is_no_success(self):
        self.run_in_lab.checks.clear()
        self.assertEqual(1, self.main()[0])
