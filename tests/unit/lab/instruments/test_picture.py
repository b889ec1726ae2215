# SPDX-License-Identifier: Apache-2.0

import pathlib

import fixtures
from matplotlib import image
import testtools

from lab.instruments import picture
from lab.instruments import record
from lab import layout
from tests.unit.lab.instruments import test_record

MIB = layout.MIB


class RatesTestCase(testtools.TestCase):

    def test_work_of_each_step(self):
        samples = [record.Sample(second, work * MIB) for second, work in
                   ((0, 0), (1, 100), (2, 200), (3, 200), (4, 250))]
        self.assertEqual(([0, 1, 2, 3, 4], [100, 100, 0, 50]),
                         picture.rates(samples, 0, 4, step=1))
        self.assertEqual(([0, 2, 4], [100, 25]),
                         picture.rates(samples, 0, 4, step=2.1))

    def test_before_the_first_heartbeat(self):
        samples = [record.Sample(5, 100 * MIB), record.Sample(6, 200 * MIB)]
        self.assertEqual([0, 0, 100],
                         picture.rates(samples, 3, 6, step=1)[1])

    def test_no_work_is_lost_between_the_steps(self):
        samples = [record.Sample(n * 0.037, n * MIB) for n in range(400)]
        for step in (0.01, 0.05, 0.2, 3):
            edges, work = picture.rates(samples, 1, 12, step)
            moved = sum(rate * (later - sooner) for rate, sooner, later
                        in zip(work, edges, edges[1:]))
            self.assertAlmostEqual(
                sum(1 < sample.time <= 12 for sample in samples), moved, 6)


class DrawTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(
            self.useFixture(fixtures.TempDir()).path)

    def words(self, run):
        """All that is written in the picture."""
        written = []

        def remember(canvas, path, **options):
            canvas.draw_without_rendering()
            written.extend(text.get_text() for text in canvas.findobj(
                lambda artist: hasattr(artist, 'get_text')))

        self.useFixture(fixtures.MonkeyPatch(
            'matplotlib.figure.Figure.savefig', remember))
        picture.draw(run, self.folder)
        return '\n'.join(written)

    def test_a_picture_is_written(self):
        path = picture.draw(test_record.run(), self.folder)
        self.assertEqual(self.folder / 'demo.png', path)
        height, width, _colours = image.imread(path).shape
        self.assertGreater(width, height)

    def test_both_attempts_and_the_switch_are_told(self):
        words = self.words(test_record.run())
        for expected in ('nova live-migration busy host-b\n',
                         'aborted after 16 s', 'completed in 8.0 s',
                         'switch\n4.0 s', 'all memory\nhas arrived\n6.5 s',
                         'longest silence of the guest: 0.75 s'):
            self.assertIn(expected, words)
        self.assertNotIn('simulated', words.lower())

    def test_simulated_hosts_are_named(self):
        words = self.words(test_record.run(simulated=True))
        self.assertIn('SIMULATED HOSTS', words)
        self.assertIn('the hosts are simulated', words)

    def test_an_attempt_that_never_switched(self):
        run = test_record.run()
        del run.attempts[1]
        run.checks.append(record.Check('migration', False, ''))
        words = self.words(run)
        self.assertNotIn('switch', words)
        self.assertIn('The proof FAILED: migration', words)

    def test_nothing_to_draw(self):
        self.assertRaises(ValueError, picture.draw,
                          test_record.run(samples=[]), self.folder)
        self.assertRaises(ValueError, picture.draw,
                          test_record.run(attempts=[]), self.folder)
