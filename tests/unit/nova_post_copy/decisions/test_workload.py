# SPDX-License-Identifier: Apache-2.0

import hypothesis
from hypothesis import strategies
import testtools

from nova_post_copy.decisions import workload

_times = strategies.floats(0.001, 1e4)
_amounts = strategies.floats(0, 1e12)


def _guest(*observations, memory=1000):
    guest = workload.Workload(memory)
    for observation in observations:
        guest = guest.observe(*observation)
    return guest


class TestWorkload(testtools.TestCase):

    def test_nothing_is_known(self):
        self.assertFalse(_guest().known)
        self.assertEqual(0, _guest().dirtied(10))

    def test_steady_writer(self):
        guest = _guest((1, 10), (10, 100))
        self.assertAlmostEqual(50, guest.dirtied(5))
        self.assertAlmostEqual(200, guest.dirtied(20))
        self.assertEqual(1000, guest.dirtied(1000))

    def test_hot_set(self):
        guest = _guest((1, 100), (10, 100))
        self.assertAlmostEqual(100, guest.dirtied(0.1))
        self.assertAlmostEqual(100, guest.dirtied(100))

    def test_one_observation(self):
        guest = _guest((4, 100))
        self.assertAlmostEqual(50, guest.dirtied(1))
        self.assertAlmostEqual(200, guest.dirtied(16))

    def test_two_of_the_same_time(self):
        # What changes from one to the other is the guest.
        self.assertAlmostEqual(
            40, _guest((4, 20), (4.1, 40)).dirtied(4.1))
        self.assertAlmostEqual(
            20, _guest((4, 20), (4, 40)).dirtied(1))

    def test_the_newest_two_count(self):
        self.assertEqual(
            _guest((1, 10), (10, 100)),
            _guest((500, 1), (1, 10), (10, 100)))

    def test_was_idle_before(self):
        self.assertAlmostEqual(50, _guest((1, 0), (10, 100)).dirtied(5))

    def test_less_than_a_byte_is_nothing(self):
        self.assertAlmostEqual(
            0, _guest((1, 1e12), (10, 1e-320), memory=1e12).dirtied(5))

    @hypothesis.given(
        strategies.lists(strategies.tuples(_times, _amounts), min_size=1,
                         max_size=3), _times, _times)
    def test_more_time_is_never_less(self, observations, one, other):
        guest = _guest(*observations, memory=1e12)
        shorter, longer = sorted((one, other))
        self.assertLessEqual(guest.dirtied(shorter),
                             guest.dirtied(longer) * 1.000001)
        self.assertLessEqual(guest.dirtied(longer), 1e12)

    @hypothesis.given(_times, _amounts)
    def test_what_was_seen_is_expected(self, seconds, dirtied):
        self.assertAlmostEqual(
            dirtied, _guest((seconds, dirtied), memory=1e12).dirtied(seconds))
