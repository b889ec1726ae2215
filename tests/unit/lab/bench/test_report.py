# SPDX-License-Identifier: Apache-2.0

import pathlib

import fixtures
from matplotlib import image
import testtools

from lab.bench import modes
from lab.bench import page
from lab.bench import picture
from lab.bench import report
from tests.unit.lab.bench import recorded

BENCH = recorded.bench(
    *recorded.runs('pre-copy', None, None, None),
    *recorded.runs('force-complete', 10, 11, 12),
    *recorded.runs(modes.OURS, 4, 5, 6, pages_on_demand=1000),
    *recorded.runs('pre-copy', 3, 3, None, guest='idle'),
    *recorded.runs(modes.OURS, 3, 3, 3, guest='idle'))


class TableTestCase(testtools.TestCase):

    def test_rows(self):
        pre_copy, force, ours = (
            dict(zip(report.HEADS, row))
            for row in report.rows(BENCH, 'full'))
        self.assertEqual(
            ('pre-copy', '0 of 3', 'never', 'never', '-', '-'),
            tuple(pre_copy[head] for head in (
                'way', 'ended', 'total', 'work lost', 'memory complete',
                'total / ours')))
        self.assertEqual('11.0 s (10.5 s to 11.5 s)', force['total'])
        self.assertEqual(('4.30', '2.20'), (
            force['total / (RAM / bandwidth)'], force['total / ours']))
        self.assertEqual(('1000', '1.8', '1.00'), (
            ours['pages on demand'], ours['moved / RAM'],
            ours['total / ours']))
        self.assertEqual(
            ('1.25 ms (1.13 ms to 1.38 ms)', '-'),
            (ours['work lost for each'], force['work lost for each']))

    def test_text(self):
        text = report.text(BENCH)
        self.assertEqual(['idle', 'all hot'], [
            part.split('\n')[0] for part in text.split('\n\n')])
        self.assertIn('3.0 s (3.0 s to never)', text)
        self.assertLessEqual(max(map(len, text.split('\n'))), 120)


class PictureTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def test_draw(self):
        drawn = image.imread(picture.draw(BENCH, self.folder))
        self.assertGreater(drawn.shape[1], 1000)
        # Bars of both colours.
        for colour in (picture.OURS, picture.OTHERS):
            wanted = [int(colour[at:at + 2], 16) / 255 for at in (1, 3, 5)]
            self.assertGreater(
                (abs(drawn[..., :3] - wanted).max(axis=2) < 0.01).sum(), 1000)

    def test_nothing_to_draw(self):
        self.assertRaises(ValueError, picture.draw, recorded.bench(),
                          self.folder)


class PageTestCase(testtools.TestCase):

    def test_a_table_has_rows_of_one_length(self):
        text = page.render(BENCH)
        titles = []
        for part in text.split('.. list-table:: ')[1:]:
            title, *lines = part.split('\n\n')[0:2]
            titles.append(title.split('\n')[0])
            cells = [line[3:5] for line in lines[0].split('\n')]
            width = cells.index('* ', 1)
            self.assertEqual((['* '] + ['  '] * (width - 1))
                             * (len(cells) // width), cells)
        self.assertEqual(['Conditions', 'Idle', 'All hot'], titles)

    def test_a_missed_goal_is_said(self):
        text = page.render(recorded.bench(
            *recorded.runs(modes.OURS, 9.0)))
        self.assertIn('* **Missed:** The guest that is hot all over', text)
