# SPDX-License-Identifier: Apache-2.0

import pathlib

import fixtures
import testtools

from lab.bench import modes
from lab.bench import result
from tests.unit.lab.bench import recorded


class BenchTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.useFixture(fixtures.TempDir()).path, 'new')

    def test_what_is_saved_is_loaded(self):
        bench = recorded.bench(
            *recorded.runs('pre-copy', None, 4.5),
            *recorded.runs(modes.OURS, 5.0, told='Reason for the switch: ...'))
        bench.network += recorded.runs('force-complete', 9.0, guest='linux')
        bench.costs['api'] = {'ratio': 1.01}
        path = bench.save(self.folder)
        self.assertEqual(bench, result.load(path))
        self.assertEqual([path], list(self.folder.iterdir()))

    def test_something_else(self):
        self.folder.mkdir()
        path = self.folder / result.NAME
        for content in ('{', '{}', '{"runs": [{"guest": 1}]}'):
            path.write_text(content)
            self.assertRaises(ValueError, result.load, path)
        self.assertRaises(FileNotFoundError, result.load,
                          self.folder / 'other.json')

    def test_a_failed_run_is_made_again(self):
        bench = recorded.bench(
            *recorded.runs('pre-copy', 5.0, None),
            recorded.run(modes.OURS, None, result='failed', observed=None))
        self.assertEqual({('full', 'pre-copy', 1), ('full', 'pre-copy', 2)},
                         bench.done())
        self.assertEqual({('full', 'pre-copy'): [5.0, 20.5]},
                         bench.durations())
        bench.add(recorded.run(modes.OURS, 6.0))
        self.assertEqual(3, len(bench.runs))
        self.assertEqual(6.0, bench.runs[-1].total)
