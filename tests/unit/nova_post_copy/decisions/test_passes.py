# SPDX-License-Identifier: Apache-2.0

import testtools

from nova_post_copy.decisions import passes
from nova_post_copy.decisions import workload

MIB = 1 << 20


def _at(seconds, visited, remaining, collections):
    """A point of a migration; MiB."""
    return passes.Point(seconds, visited * MIB, visited * MIB,
                        remaining * MIB, collections)


BEGIN = _at(0.0, 0, 512, 1)


class TestSpan(testtools.TestCase):
    """512 MiB, of which 100 MiB fit the downtime."""

    def is_pass(self, *end, begin=BEGIN):
        return passes.Span(begin, _at(*end)).is_pass(100 * MIB)

    def test_all_was_sent(self):
        self.assertTrue(self.is_pass(2.5, 512, 300, 2))

    def test_what_is_left_fits_the_downtime(self):
        self.assertTrue(self.is_pass(2.0, 412, 300, 2))

    def test_dirty_pages_were_not_collected(self):
        self.assertFalse(self.is_pass(2.5, 512, 0, 1))

    def test_dirty_pages_are_collected_all_the_time(self):
        self.assertFalse(self.is_pass(1.0, 200, 400, 17))
        self.assertFalse(self.is_pass(1.9, 390, 400, 30))
        self.assertTrue(self.is_pass(2.0, 393, 400, 31))

    def test_qemu_takes_the_bandwidth_for_higher(self):
        # It found that 200 MiB would fit.
        self.assertTrue(self.is_pass(1.5, 312, 400, 2))

    def test_rest_fits_from_the_beginning(self):
        begin = _at(3.0, 512, 90, 2)
        self.assertTrue(self.is_pass(3.1, 513, 90, 3, begin=begin))

    def test_what_was_dirtied(self):
        # Of the half that was sent 44 MiB, and as much of the other half.
        span = passes.Span(BEGIN, _at(2.0, 256, 300, 2))
        self.assertEqual(88, span.dirtied(512 * MIB) / MIB)
        # Later pages are dirtied that were not to be sent.
        span = passes.Span(_at(3.0, 512, 128, 2), _at(3.5, 576, 94, 3))
        self.assertEqual(round(30 / (1 - 64 / 512)),
                         round(span.dirtied(512 * MIB) / MIB))
        # No more can have been dirtied than is left.
        span = passes.Span(_at(3.0, 512, 128, 2), _at(3.5, 640, 30, 3))
        self.assertEqual(30, span.dirtied(512 * MIB) / MIB)


class TestHistory(testtools.TestCase):
    def setUp(self):
        super().setUp()
        self.history = passes.History.begin(
            workload.Workload(512 * MIB), BEGIN)

    def look(self, *now, lag=0.0):
        self.history = self.history.look(
            _at(*now), lag, 200 * MIB, downtime=0.5)

    def test_first_pass(self):
        self.assertTrue(self.history.is_first_pass(512 * MIB))
        self.look(2.5, 512, 300, 2)
        self.assertFalse(self.history.is_first_pass(512 * MIB))

    def test_first_pass_is_long_over_after_a_restart(self):
        self.assertFalse(passes.History.begin(
            workload.Workload(512 * MIB),
            _at(90.0, 9000, 300, 20)).is_first_pass(512 * MIB))

    def test_one_collection_is_looked_at_once(self):
        self.look(2.5, 512, 300, 2)
        before = self.history
        self.look(3.9, 792, 20, 2)
        self.assertIs(before, self.history)

    def test_all_is_sent(self):
        self.look(2.5, 512, 110, 2)
        # When it was, nobody knows: nothing is added for the time since.
        self.look(3.6, 622, 0, 3, lag=0.5)
        self.assertEqual((0, 0.0), (self.history.boundary.remaining,
                                    self.history.fitting))

    def test_clock_is_set(self):
        for lag in (-5.0, 99.0):
            self.history = passes.History.begin(
                workload.Workload(512 * MIB), BEGIN)
            self.look(2.5, 512, 300, 2, lag=lag)
            self.assertTrue(
                0.0 <= self.history.boundary.seconds <= 2.5, lag)
