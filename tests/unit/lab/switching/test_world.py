# SPDX-License-Identifier: Apache-2.0

import math

import testtools

from lab import layout
from lab.switching import guests
from lab.switching import ways
from lab.switching import world
from tests.unit.nova_post_copy.migration import scripted

GIB = guests.GIB


def _guest(*regions, **others):
    return guests.Guest('', 10 * GIB, regions, **{
        'used': 10 * GIB, 'known': 10 * GIB} | others)


def _walker(gib, pace, **others):
    return guests.Region(gib * GIB, pace * GIB, **others)


def _move(way, *regions, **others):
    return world.Migration(
        _guest(*regions, **others), GIB, downtime=0.5).run(way)


class TestRegion(testtools.TestCase):

    def test_walker(self):
        self.assertEqual(3 * GIB, _walker(4, 1).dirtied(2, 5))
        self.assertEqual(4 * GIB, _walker(4, 1).dirtied(2, 9))

    def test_by_chance(self):
        region = _walker(4, 1, random=True)
        self.assertAlmostEqual(1 - math.exp(-1),
                               region.dirtied(0, 4) / region.size)

    def test_active_for_some_time(self):
        region = _walker(4, 1, activity=lambda seconds: min(seconds, 3))
        self.assertEqual(1 * GIB, region.dirtied(2, 9))

    def test_walker_comes_first_to_what_is_clean(self):
        self.assertEqual(0, _walker(4, 1).among(2 * GIB, 2 * GIB))
        self.assertEqual(1 * GIB, _walker(4, 1).among(3 * GIB, 2 * GIB))
        self.assertEqual(
            1 * GIB, _walker(4, 1, random=True).among(2 * GIB, 2 * GIB))

    def test_whole_pages_of_the_host(self):
        scattered = _walker(4, 1, random=True)
        self.assertEqual(GIB, scattered.whole(GIB, guests.PAGE_BYTES))
        self.assertAlmostEqual(
            4 * GIB, scattered.whole(GIB, 2 * layout.MIB), delta=1)
        self.assertEqual(GIB + 2 * layout.MIB,
                         _walker(4, 1).whole(GIB, 2 * layout.MIB))


class TestMigration(testtools.TestCase):

    def test_idle(self):
        outcome = _move(ways.NEVER)
        self.assertEqual((10, 0, 2, 10 * GIB),
                         (outcome.seconds, outcome.degraded, outcome.passes,
                          outcome.moved))

    def test_walker_that_pre_copy_can_finish(self):
        # 10 s, 5 s, 2.5 s, 1.25 s, 0.625 s, and 0.3125 s of downtime.
        outcome = _move(ways.NEVER, _walker(10, 0.5))
        self.assertEqual((19.6875, 0), (outcome.seconds, outcome.degraded))

    def test_hot_set_that_does_not_fit(self):
        outcome = _move(ways.NEVER, _walker(2, 2))
        self.assertFalse(outcome.ended)
        self.assertEqual(math.inf, outcome.cost(2))

    def test_post_copy_after_one_pass(self):
        outcome = _move(ways.ONE_PASS, _walker(2, 4))
        # Written to in the 0.05 s until nova-compute looked, of which some
        # had just been sent.
        again = 0.05 * 0.2
        self.assertAlmostEqual(10 + 0.05 + 0.1 + 2 - 0.05 + again / 2,
                               outcome.seconds, delta=again)
        self.assertAlmostEqual(outcome.seconds - 10.05, outcome.degraded)

    def test_at_once(self):
        outcome = _move(ways.AT_ONCE, _walker(10, 4))
        self.assertAlmostEqual(10.1, outcome.seconds, places=1)
        self.assertEqual(1, outcome.passes)

    def test_zeros_take_no_time(self):
        self.assertEqual(4, _move(ways.NEVER, used=4 * GIB).seconds)

    def test_disk_is_not_counted(self):
        self.assertEqual(10, _move(ways.NEVER, disk=50.0 * GIB).seconds)

    def test_what_nova_compute_sees(self):
        looks = []

        class Looker:
            def switches(self, look):
                looks.append(look)
                return False

        _move(Looker(), _walker(5, 4))
        first, begun, measured, second = looks[:4]
        self.assertEqual((1, 1, 1, 2), tuple(
            look.info.memory_iteration for look in looks[:4]))
        # The bandwidth is known.
        self.assertAlmostEqual(0.3, begun.now)
        # 10 s / 4 are 3 s, which begin 1 s before the first byte.
        self.assertAlmostEqual(2.05, measured.now)
        self.assertEqual(3, measured.measurement.length)
        self.assertAlmostEqual(
            5 * 1024 / 3, measured.measurement.mib_per_second, delta=60)
        self.assertAlmostEqual(0.05, second.lag)
        self.assertAlmostEqual(4.95, second.info.memory_remaining / GIB)
        self.assertAlmostEqual(10.05, second.info.memory_processed / GIB)
        self.assertAlmostEqual(first.info.memory_bps / GIB, 1, delta=0.05)


class TestOurs(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())

    def test_has_a_reason(self):
        guest = _guest(_walker(2, 2))
        way = ways.Ours(guest, 2.0)
        outcome = world.Migration(guest, GIB).run(way)
        self.assertEqual(2, outcome.passes)
        self.assertIn('MiB for post-copy take 2.0 s; another pass would',
                      way.reason)

    def test_what_is_not_measured_has_its_first_pass(self):
        guest = _guest(_walker(10, 4))
        for measures, passes in ((True, 1), (False, 2)):
            outcome = world.Migration(guest, GIB).run(
                ways.Ours(guest, 2.0, measures))
            self.assertEqual(passes, outcome.passes)

    def test_all_kinds_come_to_an_end(self):
        scale = guests.Scale('', 16 * GIB, 4 * GIB)
        for guest in guests.kinds(scale):
            outcome = world.Migration(guest, scale.bandwidth, seed=1).run(
                ways.Ours(guest, 2.0))
            self.assertTrue(outcome.ended, guest.name)
