# SPDX-License-Identifier: Apache-2.0

"""The main job on simulated hosts, as a user runs it."""

import json
import pathlib
import subprocess
import sys

import fixtures
import testtools

ROOT = pathlib.Path(__file__).parents[2]

# Without the picture: what draws it is not needed for tests.
SCRIPT = """
import pathlib, sys
from lab.demo import simulated
from lab import progress
run = simulated.run(progress.Progress(sys.stdout))
print(run.table())
run.save(pathlib.Path(sys.argv[1]))
"""


class TestDemo(testtools.TestCase):
    def setUp(self):
        super().setUp()
        # In a process of its own, because it silences the log.
        self.folder = self.useFixture(fixtures.TempDir()).path
        self.run_of_it = subprocess.run(
            [sys.executable, '-c', SCRIPT, self.folder], cwd=ROOT, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=240)
        self.addDetail('output', testtools.content.text_content(
            self.run_of_it.stdout))

    def test_main_job(self):
        self.assertEqual(0, self.run_of_it.returncode)
        first = self.run_of_it.stdout.splitlines()[0]
        self.assertIn('SIMULATED HOSTS', first)
        run = json.loads((pathlib.Path(self.folder) / 'demo.json').read_text())
        self.assertTrue(run['simulated'])
        self.assertEqual(
            [], [check for check in run['proof'] if not check['passed']])
        self.assertTrue(run['passed'])
        pre_copy, post_copy = run['attempts']
        self.assertEqual('aborted', pre_copy['result'])
        self.assertIsNone(pre_copy['time_to_switch_seconds'])
        self.assertEqual('completed', post_copy['result'])
        # Each page once, what was written meanwhile once more, and what is
        # sent until the monitor has seen the end of the first pass.
        self.assertLess(post_copy['transferred_to_ram'], 3)
        self.assertAlmostEqual(
            0.15, post_copy['longest_silence_seconds'], delta=0.05)
