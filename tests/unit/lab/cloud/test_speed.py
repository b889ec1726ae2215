# SPDX-License-Identifier: Apache-2.0

import fixtures
import testtools

from lab.cloud import speed
from lab import wait


class SpeedTest(testtools.TestCase):

    def factor(self, ratio):
        return speed.Speed(ratio * 0.28, reference=0.28).factor

    def test_limits_hold_as_written_where_the_machine_is_not_slow(self):
        for ratio in (0.1, 1.0, 1.2, 1.5):
            self.assertEqual(1.0, self.factor(ratio))
            self.assertEqual([], speed.Speed(ratio, 1.0).notice())

    def test_limits_grow_with_what_the_work_takes(self):
        self.assertEqual(1.6, self.factor(1.6))
        self.assertEqual(3.0, self.factor(3.0))
        self.assertEqual(12.4, self.factor(12.44))

    def test_notice(self):
        text = ' '.join(speed.Speed(0.9, 0.3).notice())
        for part in ('0.30 s', '0.90 s', '3 times longer', 'compared'):
            self.assertIn(part, text)


class KeptTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.owner = {'root': 'here', 'tls': True}
        self.ours = True
        for name, value in {
                'lab.wait.slowness': 1.0,
                'lab.cloud.speed._round': lambda: next(self.rounds),
                'lab.cloud.lock.is_ours': lambda: self.ours,
                'lab.cloud.lock.owner': lambda: self.owner,
                'lab.cloud.lock.own': self._own}.items():
            self.useFixture(fixtures.MonkeyPatch(name, value))
        self.rounds = iter((0.84, 1.99, 0.56))

    def _own(self, options):
        self.owner = options

    def test_the_owner_keeps_it_for_later_commands(self):
        self.assertEqual(3.0, speed.refresh().factor)
        self.assertEqual(3.0, wait.slowness)
        self.assertEqual({'root': 'here', 'tls': True, 'slowness': 3.0},
                         self.owner)
        wait.slowness = 1.0
        speed.recall()
        self.assertEqual(3.0, wait.slowness)

    def test_a_slow_round_is_enough(self):
        self.rounds = iter((5.6,))
        self.assertEqual(20.0, speed.refresh().factor)

    def test_the_lab_of_another_checkout_is_left_alone(self):
        self.ours = False
        speed.refresh()
        self.assertNotIn('slowness', self.owner)
        wait.slowness = 1.0
        self.owner['slowness'] = 5.0
        speed.recall()
        self.assertEqual(1.0, wait.slowness)

    def test_links_follow_as_far_as_a_guest_can_bear(self):
        for wait.slowness, bandwidth in ((1.0, 120), (2.0, 60), (10.0, 30)):
            self.assertEqual(bandwidth, speed.slowed(120))

    def test_before_anything_was_measured(self):
        speed.recall()
        self.assertEqual(1.0, wait.slowness)
