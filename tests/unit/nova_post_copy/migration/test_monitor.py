# SPDX-License-Identifier: Apache-2.0

import futurist

from lab.simulation import names
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.migration import phase
from nova_post_copy.migration.result import End
from tests.unit.nova_post_copy.migration import base
from tests.unit.nova_post_copy.migration import scripted
from tests.unit.nova_post_copy.migration.scripted import copying


class TestWaking(base.MonitorTestCase):
    """What happens between two beats is not waited for."""

    def setUp(self):
        super().setUp()
        self.switched_at = []
        self.source.effects['migrateStartPostCopy'] = lambda: (
            self.source.become(scripted.POST_COPY),
            self.switched_at.append(self.clock.now))
        self.source.become(job=copying(1))
        self.watching = self.migration()

    def test_boundary(self):
        self.source.at(2.3, job=copying(2))
        self.clock.at(2.3, lambda: self.watching.signals.at_boundary(2))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch(self.watching)
        self.assertEqual([2.3], self.switched_at)

    def test_boundary_without_an_event(self):
        self.source.at(2.3, job=copying(2))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch(self.watching)
        (second,) = self.switched_at
        self.assertLessEqual(second, 2.3 + phase.BEAT_S)

    def test_user_asks_for_the_switch(self):
        self.clock.at(1.4, lambda: (
            self.requests.append('force-complete'),
            self.watching.signals.wake()))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch(self.watching)
        self.assertEqual([1.4], self.switched_at)

    def test_result_of_a_measurement(self):
        self.source.dirty_rate = {
            'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURING}
        self.clock.at(1.1, lambda: self.source.dirty_rate.update({
            'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURED,
            'dirtyrate.calc_period': 1,
            'dirtyrate.megabytes_per_second': 512}))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch(self.watching)
        (second,) = self.switched_at
        self.assertLessEqual(second, 1.1 + phase.QUICK_BEAT_S)

    def test_end_of_the_operation(self):
        for second, error in ((1.6, None),
                              (3.1, scripted.libvirt_error('disk full'))):
            self.source.operation = futurist.Future()
            self.source.ends(second, error)
            self.watch()
            self.assertEqual(second, self.clock.now)

    def test_end_of_an_operation_that_resumed_it(self):
        self.source.become(scripted.BROKEN)
        self.source.operation.set_result(scripted.libvirt_error('broken'))
        self.source.at(2, state=scripted.POST_COPY, job=copying(3))
        self.clock.at(3.9, lambda: (
            self.source.become(scripted.MIGRATED, {}),
            self.destination.attempts[-1].set_result(None)))
        self.assertEqual((End.COMPLETED, None, True),
                         self.watch(self.watching))
        self.assertEqual(3.9, self.clock.now)

    def test_nova_compute_stops(self):
        self.clock.at(1.2, lambda: (self.stopping.set(),
                                    self.watching.signals.wake()))
        self.assertIs(End.UNWATCHED, self.watch(self.watching).end)
        self.assertEqual(1.2, self.clock.now)

    def test_progress_is_saved_on_the_beat_all_the_same(self):
        self.flags(switch_policy='manual', group='post_copy')
        for tenth in range(1, 50):
            self.clock.at(tenth / 10, self.watching.signals.wake)
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch(self.watching)
        self.assertIn(len(self.story.percents), (4, 5))


class TestRestart(base.MonitorTestCase):
    """A former process has made libvirt's call."""

    def test_in_pre_copy(self):
        self.source.become(job=copying(1))
        self.source.at(2, job=copying(2))
        self.switches()
        self.source.at(5, state=scripted.MIGRATED, job={})
        self.assertEqual((End.COMPLETED, None, False),
                         self.watch(restarted=True))
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))

    def test_rolled_back_meanwhile(self):
        self.assertEqual(
            (End.FAILED, 'unknown, because nova-compute was restarted',
             False),
            self.watch(restarted=True))

    def test_rolled_back_afterwards(self):
        self.source.become(job=copying(1))
        self.source.at(2, job={'type': names.VIR_DOMAIN_JOB_NONE})
        self.assertIs(End.FAILED, self.watch(restarted=True).end)

    def test_aborted_afterwards(self):
        self.source.become(job=copying(1))
        self.source.at(2, job={})
        self.requests.append('abort')
        self.assertIs(End.CANCELLED, self.watch(restarted=True).end)

    def test_in_post_copy(self):
        self.source.become(scripted.POST_COPY)
        self.moves()
        self.source.at(5, state=scripted.MIGRATED, job={})
        self.assertEqual((End.COMPLETED, None, False),
                         self.watch(restarted=True))
        self.assertEqual(['post-copy', 'end'], self.story.told)

    def test_while_the_stream_was_broken(self):
        self.source.become(scripted.BROKEN)
        self.source.at(3, state=scripted.POST_COPY)
        self.clock.at(4, lambda: (
            self.source.become(scripted.MIGRATED),
            self.destination.attempts[-1].set_result(None)))
        self.assertEqual((End.COMPLETED, None, True),
                         self.watch(restarted=True))

    def test_guest_has_left_meanwhile(self):
        self.source.become(scripted.MIGRATED)
        self.assertEqual((End.COMPLETED, None, False),
                         self.watch(restarted=True))

    def test_host_was_restarted(self):
        self.source.become(scripted.CRASHED)
        for there, end in (
                (Condition.ABSENT, End.FAILED),
                (Condition.SHUTOFF, End.FAILED),
                # A nova-compute that cannot say: without our package.
                (Condition.UNKNOWN, End.FAILED),
                # It had switched before.
                (Condition.POST_COPY, End.LOST),
                (Condition.BROKEN, End.LOST),
                (Condition.RUNNING, End.COMPLETED),
                (Condition.PAUSED, End.COMPLETED)):
            self.destination.condition = there
            result = self.watch(restarted=True)
            self.assertEqual((end, end is End.COMPLETED),
                             (result.end, result.arrived))

    def test_both_hosts_were_restarted_after_the_switch(self):
        self.source.become(scripted.CRASHED)
        self.destination.condition = Condition.ABSENT
        self.story.switched = True
        self.assertIs(End.LOST, self.watch(restarted=True).end)

    def test_source_was_restarted_after_the_switch(self):
        # Paused there is no proof that all memory had arrived.
        self.source.become(scripted.CRASHED)
        self.story.switched = True
        for there, end in ((Condition.PAUSED, End.LOST),
                           (Condition.IO_ERROR, End.LOST),
                           (Condition.POWERED_OFF, End.COMPLETED),
                           (Condition.SHUTTING_DOWN, End.COMPLETED),
                           (Condition.RUNNING, End.COMPLETED)):
            self.destination.condition = there
            self.assertIs(end, self.watch(restarted=True).end, there)

    def test_host_was_restarted_and_the_destination_is_silent(self):
        self.source.become(scripted.CRASHED)
        self.destination.condition = None
        self.clock.at(90, lambda: setattr(
            self.destination, 'condition', Condition.BROKEN))
        self.assertIs(End.LOST, self.watch(restarted=True).end)
        self.assertGreaterEqual(self.clock.now, 90)

    def test_dead_stream(self):
        self.source.become(scripted.POST_COPY, copying(3))
        self.source.effects['abortJobFlags'] = lambda: (
            self.source.become(scripted.BROKEN, {}))
        self.clock.at(8, lambda: (
            self.source.become(scripted.MIGRATED),
            self.destination.attempts[-1].set_result(None)))
        self.assertIs(End.COMPLETED, self.watch(restarted=True).end)
