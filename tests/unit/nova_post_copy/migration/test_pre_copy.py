# SPDX-License-Identifier: Apache-2.0

import hypothesis
from hypothesis import strategies
from nova import objects
from nova import test
from nova.tests.unit import fake_instance

from lab.simulation import names
from nova_post_copy.decisions import switch
from nova_post_copy.migration import following
from nova_post_copy.migration import pre_copy
from nova_post_copy.virt.libvirt import job
from tests.unit.nova_post_copy.migration import scripted

MIB = scripted.MIB

MEASURING = {'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURING}
HOT = {'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURED,
       'dirtyrate.calc_period': 1, 'dirtyrate.megabytes_per_second': 480}


def _at(seconds, iteration=1, sent=0, remaining=512, bps=200, total=512,
        visited=None):
    """What libvirt says at a time; MiB."""
    visited = sent if visited is None else visited
    return job.Statistics(
        memory_total=total * MIB, memory_processed=sent * MIB,
        memory_remaining=remaining * MIB, memory_visited=visited * MIB,
        memory_iteration=iteration, memory_bps=bps * MIB, disk_total=0,
        disk_processed=0, disk_remaining=0, page_requests=0,
        elapsed=seconds, downtime=0.0)


class PreCopyTestCase(test.NoDBTestCase):
    """512 MiB at 200 MiB/s: a pass takes 2.56 s, 100 MiB fit the downtime."""

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.source = scripted.Source(None)
        self.instance = fake_instance.fake_instance_obj(None)
        self.instance.flavor = objects.Flavor(memory_mb=512)
        self.pre_copy = pre_copy.PreCopy(self.source, self.instance)
        #: what the decisions were made of
        self.weighed = []
        decide = switch.decide
        self.stub_out('nova_post_copy.decisions.switch.decide',
                      lambda *args: self.weighed.append(args) or decide(*args))

    def decide(self, info, lag=0.0, forced=False):
        return self.pre_copy.decide(info, lag, forced)

    def progress(self):
        """Return what the last decision was made of."""
        progress, _settings, _forced = self.weighed[-1]
        return progress

    def settings(self):
        _progress, settings, _forced = self.weighed[-1]
        return settings

    def seen(self):
        """Return the last observation of the guest; s and MiB."""
        seconds, dirtied = self.progress().guest.observations[-1]
        return seconds, dirtied / MIB


class TestWhatIsLearned(PreCopyTestCase):

    def test_disks_come_first(self):
        for seconds in (1.0, 99.0):
            decision = self.decide(_at(seconds, iteration=0, total=0))
            self.assertIs(switch.Action.GO_ON, decision.action)
        # Their time is not that of the memory.
        self.decide(_at(100.0))
        self.assertEqual(0, self.progress().elapsed)
        self.decide(_at(102.5, 2, 512, 400))
        self.assertEqual(2.5, self.progress().elapsed)
        self.assertEqual((2.5, 400), self.seen())

    def test_each_pass_is_an_observation(self):
        self.decide(_at(0.5))
        self.assertFalse(self.progress().guest.known)
        self.decide(_at(3.0, 2, 512, 300))
        self.assertEqual((2.5, 300), self.seen())
        self.decide(_at(4.5, 3, 812, 200))
        self.assertEqual((1.5, 200), self.seen())

    def test_qemu_ends_a_pass_when_its_rest_fits_the_downtime(self):
        self.decide(_at(0.5))
        # 100 MiB were left, half of the others had been written again.
        self.decide(_at(2.5, 2, 412, 306))
        self.assertEqual((2.0, 256), self.seen())
        self.assertEqual(306 * MIB, self.progress().remaining)

    def test_between_boundaries_nothing_is(self):
        self.decide(_at(0.0))
        self.decide(_at(2.5, 2, 512, 300))
        before = self.decide(_at(2.6, 2, 532, 280))
        self.assertIs(before, self.decide(_at(3.5, 2, 712, 100)))
        self.assertEqual((2.5, 300), self.seen())

    def test_dirty_pages_are_collected_all_the_time(self):
        self.decide(_at(0.0, iteration=2))
        first = self.decide(_at(0.3, 3, 20, 500))
        for number in range(1, 18):
            self.assertIs(first, self.decide(_at(
                0.3 + number / 10, 3 + number, 20 + 20 * number,
                500 - 12 * number)))
            self.assertFalse(self.progress().guest.known)
        # The rest of the first pass fits the downtime.
        self.decide(_at(2.3, 23, 420, 260))
        self.assertTrue(self.progress().guest.known)
        self.assertEqual(260 * MIB, self.progress().remaining)

    def test_looked_late(self):
        self.decide(_at(0.0))
        # 100 MiB of what was dirty have been sent in the meantime.
        self.decide(_at(3.06, 2, 612, 200), lag=0.5)
        self.assertEqual((2.56, 300), self.seen())
        self.decide(_at(4.56, 3, 812, 250))
        self.assertEqual((2.0, 250), tuple(map(round, self.seen())))

    def test_rest_that_hardly_does_not_fit(self):
        self.decide(_at(0.0))
        self.decide(_at(2.56, 2, 512, 110))
        self.assertEqual((2.56, 110), self.seen())
        # Ten MiB say nothing of the guest yet.
        self.decide(_at(2.61, 3, 522, 110))
        self.assertEqual(110 * MIB, self.progress().remaining)
        self.assertEqual((2.56, 110), self.seen())
        self.decide(_at(3.01, 4, 602, 110))
        # Collected twice, so some of the pages were watched for less.
        self.assertEqual((0.43, 94), (
            round(self.seen()[0], 2), round(self.seen()[1])))

    def test_in_the_middle_of_a_pass_after_a_restart(self):
        self.decide(_at(30.0, 7, 2000, 150))
        self.assertFalse(self.progress().guest.known)
        self.assertEqual(0, self.progress().elapsed)
        self.decide(_at(30.75, 8, 2150, 300))
        self.assertEqual((0.75, 300), self.seen())

    def test_since_when_the_rest_fits_the_downtime(self):
        self.decide(_at(0.0))
        for iteration, (remaining, fitting) in enumerate(
                ((101, None), (100, 0), (40, 1), (20, 2), (120, None),
                 (90, 0)), start=2):
            self.decide(_at(
                2.0 + iteration, iteration, 400 + 100 * iteration, remaining))
            # A decision that stands is not made again.
            self.assertEqual(fitting, self.pre_copy._history.fitting)

    def test_rest_fits_for_too_long(self):
        self.decide(_at(0.0))
        for tenth in range(30):
            self.assertIs(switch.Action.GO_ON, self.decide(_at(
                3.0 + tenth / 10, 2 + tenth, 512 + tenth, 90)).action)
        self.assertIs(switch.Action.SWITCH, self.decide(
            _at(6.1, 99, 600, 90)).action)

    def test_guest_stands_still_at_the_end(self):
        self.decide(_at(0.0))
        self.decide(_at(3.0, 2, 512, 90))
        # The last pass takes as long as it takes.
        self.assertIs(switch.Action.GO_ON, self.decide(
            _at(60.0, 2, 550, 52)).action)

    def test_page_size(self):
        self.source.xml = (
            '<domain><memoryBacking><hugepages><page size="2" unit="MiB"/>'
            '</hugepages></memoryBacking></domain>')
        self.decide(_at(0.0))
        self.assertEqual(2 * MIB, self.progress().page_size)

    def test_zeros_take_no_time(self):
        # libvirt counts all of the memory, of which 128 MiB are in use.
        self.source.memory = {'actual': 512 << 10, 'rss': 128 << 10}
        self.decide(_at(0.0, sent=28, remaining=484))
        self.assertEqual(100 * MIB, self.progress().remaining)
        self.decide(_at(0.7, 2, 128, 120, visited=512))
        self.assertEqual(120 * MIB, self.progress().remaining)

    def test_libvirt_is_restarted_in_between(self):
        self.source.errors['get_guest'].append(names.connection_lost())
        self.decide(_at(0.0))
        self.assertEqual((512 * MIB, 4096), (
            self.progress().guest.memory, self.progress().page_size))


class TestBandwidth(PreCopyTestCase):

    def bandwidth(self):
        return self.progress().bandwidth / MIB

    def test_not_known_at_first(self):
        decision = self.decide(_at(0.0, bps=0))
        self.assertEqual((switch.Action.GO_ON,
                          'the bandwidth is not known yet'), decision)
        self.decide(_at(0.3, bps=180))
        self.assertEqual(180, self.bandwidth())

    def test_stream_that_has_just_begun(self):
        self.decide(_at(0.0, bps=0))
        decision = self.decide(_at(0.1, bps=8))
        self.assertEqual('the bandwidth is not known yet', decision.reason)
        self.assertTrue(self.pre_copy.awaits)
        self.decide(_at(0.3, bps=180))
        self.assertFalse(self.pre_copy.awaits)

    def test_of_the_moment(self):
        self.decide(_at(0.0, bps=0))
        self.decide(_at(0.3, bps=150))
        self.assertEqual(150, self.bandwidth())

    def test_stream_that_waits_for_qemu(self):
        self.decide(_at(0.0))
        self.decide(_at(2.5, 2, 500, 300, bps=40))
        self.assertEqual(200, self.bandwidth())

    def test_average_of_this_pass(self):
        self.decide(_at(0.0))
        self.decide(_at(2.0, 2, 400, 120, bps=150))
        # The network has got slower since the first pass.
        self.decide(_at(4.0, 3, 500, 300, bps=40))
        self.assertEqual(50, self.bandwidth())


class TestMeasurement(PreCopyTestCase):
    """What was begun when the migration was asked for."""

    def test_hot_all_over_is_switched_in_the_first_pass(self):
        self.source.dirty_rate = MEASURING
        self.assertIs(switch.Action.GO_ON, self.decide(_at(0.0)).action)
        self.assertTrue(self.pre_copy.awaits)
        self.source.dirty_rate = HOT
        decision = self.decide(_at(0.4, sent=80, remaining=432))
        self.assertIs(switch.Action.SWITCH, decision.action)
        self.assertEqual((1, 480), self.seen())
        self.assertFalse(self.pre_copy.awaits)

    def test_counts_once(self):
        self.source.dirty_rate = HOT | {'dirtyrate.megabytes_per_second': 1}
        for seconds in (0.0, 0.5, 1.0):
            self.decide(_at(seconds))
        self.assertEqual(1, len(self.progress().guest.observations))

    def test_too_late(self):
        self.source.dirty_rate = MEASURING
        self.decide(_at(0.0))
        self.source.dirty_rate = HOT
        self.decide(_at(2.5, 2, 512, 50))
        self.assertFalse(self.pre_copy.awaits)
        # The pass is known as well, and newer.
        self.assertEqual((2.5, 50), self.seen())

    def test_none(self):
        self.decide(_at(0.0))
        self.decide(_at(0.3, sent=60, remaining=452))
        self.assertFalse(self.pre_copy.awaits)
        self.assertFalse(self.progress().guest.known)


class TestSettings(PreCopyTestCase):

    def test_default(self):
        self.decide(_at(0.0))
        self.assertEqual(
            (switch.Policy.AUTO, 0.5, 1600, True),
            (self.settings().policy, self.settings().downtime,
             self.settings().timeout, self.settings().abort))

    def test_what_the_operator_sets(self):
        self.flags(live_migration_downtime=120,
                   live_migration_completion_timeout=30,
                   live_migration_timeout_action='force_complete',
                   group='libvirt')
        self.flags(switch_policy='first-pass', degraded_weight=7.5,
                   group='post_copy')
        self.instance.flavor.memory_mb = 64 << 10
        self.decide(_at(0.0))
        self.assertEqual(
            switch.Settings(switch.Policy.FIRST_PASS, 7.5, 0.12, 30 * 64,
                            False), self.settings())

    def test_without_a_timeout(self):
        self.flags(live_migration_completion_timeout=0, group='libvirt')
        self.flags(switch_policy='manual', group='post_copy')
        self.decide(_at(0.0))
        self.assertIs(switch.Action.GO_ON,
                      self.decide(_at(1e6, 99, 0, 400)).action)


class TestBetweenTwoBoundaries(PreCopyTestCase):
    """A decision stands, unless something else is known."""

    def setUp(self):
        super().setUp()
        self.flags(switch_policy='manual', group='post_copy')
        self.flags(live_migration_completion_timeout=5, group='libvirt')
        self.decide(_at(0.0))

    def test_user_asks_for_the_switch(self):
        self.assertEqual(
            (switch.Action.SWITCH, 'a user forced the switch'),
            self.decide(_at(0.2, sent=40, remaining=472), forced=True))

    def test_it_takes_too_long(self):
        self.flags(live_migration_timeout_action='force_complete',
                   group='libvirt')
        self.assertIs(switch.Action.GO_ON, self.decide(_at(10.0)).action)
        self.assertIs(switch.Action.SWITCH, self.decide(_at(10.1)).action)

    def test_it_takes_too_long_and_is_aborted_by_default(self):
        self.decide(_at(10.0))
        self.assertIs(switch.Action.STOP, self.decide(_at(10.1)).action)


class TestPerCent(PreCopyTestCase):

    def per_cent(self, info):
        return following.per_cent(info, self.pre_copy.sent_again(info))

    def test_nothing_is_there_yet(self):
        self.assertEqual(0, self.per_cent(
            _at(0.0, total=0, remaining=0)))

    def test_first_pass(self):
        info = _at(1.0, sent=128, remaining=384)
        self.decide(info)
        self.assertEqual(25, self.per_cent(info))

    def test_what_the_guest_will_write_again(self):
        self.decide(_at(0.0))
        info = _at(2.56, 2, 512, 100)
        self.decide(info)
        # Of those 100 MiB it writes to some again before they are sent.
        self.assertLess(self.per_cent(info), 100 * 512 / 612)
        self.assertGreaterEqual(self.per_cent(info), 100 * 512 / 712)

    def test_after_the_switch_nothing_is_sent_again(self):
        self.decide(_at(0.0))
        self.decide(_at(2.0, 2, 400, 100))
        self.assertEqual(90, following.per_cent(
            _at(2.5, 2, 450, 50), again=0.0))

    def test_all_is_sent(self):
        info = _at(3.0, 3, 700, 0)
        self.decide(info)
        self.assertEqual(100, self.per_cent(info))


class TestWhateverLibvirtSays(PreCopyTestCase):

    @hypothesis.given(strategies.lists(strategies.tuples(
        strategies.floats(0, 100),      # elapsed, which need not even grow
        strategies.integers(0, 20),     # iteration
        strategies.integers(0, 4096),   # sent
        strategies.integers(0, 1024),   # remaining
        strategies.integers(0, 9999),   # bandwidth
        strategies.floats(0, 100)),     # lag
        max_size=8))
    def test_there_is_an_answer(self, looks):
        self.pre_copy = pre_copy.PreCopy(self.source, self.instance)
        for seconds, iteration, sent, remaining, bps, lag in looks:
            info = _at(seconds, iteration, sent, remaining, bps)
            self.assertTrue(self.decide(info, lag).reason)
            for again in (0.0, self.pre_copy.sent_again(info)):
                self.assertTrue(
                    0 <= following.per_cent(info, again) <= 100)
