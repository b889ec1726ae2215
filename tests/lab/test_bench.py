# SPDX-License-Identifier: Apache-2.0

"""The bench measures what it says, and what is measured is as it has to be."""

import pathlib

import fixtures

from lab.bench import modes
from lab.bench import plan
from lab.bench import result
from lab.bench import runner
from lab import layout
from tests.lab import base


class BenchTest(base.Case):

    def measure(self, guest: str, *names: str) -> list[result.Run]:
        """Make a run of a guest in each of these modes."""
        bench = result.Bench({})
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        runner.Runner(self.cloud, bench, folder, 1, lambda text: None).run(
            plan.visits([guest], names, 1))
        for run in bench.runs:
            self.assertEqual(('completed', None, 0),
                             (run.result, run.error, run.wrong_pages))
            self.assertTrue(0 < run.memory_complete <= run.total
                            <= run.observed, run)
            self.assertLess(0, run.silence)
        self.assertEqual(bench, result.load(folder / result.NAME))
        self.assertEqual(set(names), {run.mode for run in bench.runs})
        return bench.runs

    def test_an_idle_guest_never_switches(self):
        for run in self.measure('idle', 'pre-copy', 'virsh', modes.OURS):
            if run.mode != 'virsh':
                self.assertIsNone(run.switch)
                self.assertIsNone(run.told)
            self.assertLess(run.lost_work, 1.0)

    def test_a_guest_that_is_hot_all_over_switches(self):
        run, = self.measure('full', modes.OURS)
        self.assertTrue(0 < run.switch < run.memory_complete)
        self.assertTrue(0 < run.degraded < run.total)
        self.assertLess(0, run.pages_on_demand)
        # Each page crosses the network at most about twice.
        self.assertLess(run.moved, 1000 * layout.MIB)
        self.assertIn('degraded for', run.told)
