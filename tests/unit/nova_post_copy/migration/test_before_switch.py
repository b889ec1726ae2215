# SPDX-License-Identifier: Apache-2.0

import futurist
from nova import exception

from lab.simulation import names
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.migration.result import End
from tests.unit.nova_post_copy.migration import base
from tests.unit.nova_post_copy.migration import scripted
from tests.unit.nova_post_copy.migration.scripted import copying

MIB = scripted.MIB


class TestPreCopy(base.MonitorTestCase):

    def test_busy_guest_switches_after_the_first_pass(self):
        self.source.at(1, job=copying(1))
        self.source.at(3, job=copying(2))
        self.switches()
        self.source.ends(5, state=scripted.MIGRATED)
        result = self.watch()

        self.assertEqual((End.COMPLETED, None, True), result)
        self.assertEqual(
            [('migrateSetMaxDowntime', 500), ('migrateStartPostCopy',)],
            self.source.asked)
        self.assertEqual(['pre-copy', 'post-copy', 'end'], self.story.told)
        self.assertEqual(1, self.destination.cut_over)

    def test_idle_guest_does_not_switch(self):
        self.source.at(1, job=copying(1))
        self.source.at(3, job=copying(2, MIB))
        self.source.ends(4, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assert_not_switched()

    def test_paused_guest_does_not_switch(self):
        self.requests.append('force-complete')
        self.source.become(scripted.PAUSED, copying(2))
        self.source.ends(4, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch(
            self.migration(can_switch=False)).end)
        self.assert_not_switched()

    def test_user_asks_for_the_switch(self):
        self.requests.append('force-complete')
        self.source.become(job=copying(1))
        self.switches()
        self.source.ends(4, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))
        self.assertEqual([], list(self.requests))

    def test_no_switch_once_qemu_has_suspended_the_guest(self):
        # The last collection of dirty pages is as good as any other.
        self.source.at(1, job=copying(1))
        self.source.at(3, scripted.MIGRATING, copying(2))
        self.source.ends(4, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assert_not_switched()

    def test_no_switch_while_disks_are_copied(self):
        self.requests.append('force-complete')
        self.source.become(job=copying(0, 0))
        self.source.ends(4, state=scripted.MIGRATED)
        self.watch()
        self.assert_not_switched()

    def test_pre_copy_takes_too_long(self):
        self.source.flows = True
        self.flags(live_migration_completion_timeout=5, group='libvirt')
        self.source.become(job=copying(0))
        self.source.at(2, job=copying(1))
        self.source.effects['migrateStartPostCopy'] = lambda: (
            self.source.become(scripted.POST_COPY),
            self.assertLess(self.clock.now, 14))
        self.source.ends(15, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))

    def test_status_is_saved_before_the_switch(self):
        self.completes_first_pass()
        told = []
        self.source.effects['migrateStartPostCopy'] = lambda: (
            told.extend(self.story.told))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual('post-copy', told[-1])

    def test_switch_before_qemu_is_ready_is_tried_again(self):
        self.source.flows = True
        self.completes_first_pass()
        self.source.errors['migrateStartPostCopy'].append(
            scripted.libvirt_error('not yet'))
        self.switches()
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))
        self.assertEqual(
            ['pre-copy', 'post-copy', 'pre-copy', 'post-copy', 'end'],
            self.story.told)

    def test_no_switch_over_a_network_that_is_silent(self):
        self.requests.append('force-complete')
        self.source.become(job=copying(1))
        # While nobody can tell yet that it is.
        self.source.errors['migrateStartPostCopy'].extend(
            [scripted.libvirt_error('not yet')] * 2)
        self.clock.at(20, lambda: setattr(self.source, 'flows', True))
        self.source.ends(30, state=scripted.MIGRATED)
        moments = []
        self.source.effects['migrateStartPostCopy'] = lambda: (
            moments.append(self.clock.now),
            self.source.become(scripted.POST_COPY))
        self.watch()
        [moment] = moments
        self.assertGreaterEqual(moment, 20)

    def test_no_switch_without_its_status(self):
        self.completes_first_pass()
        self.story.can_save.extend([False] * 100)
        self.source.ends(5, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assert_not_switched()

    def test_busy_libvirt_is_no_end(self):
        self.completes_first_pass(5)
        self.source.errors['jobStats'].append(names.busy())
        self.source.errors['state'].append(names.connection_lost())
        self.source.errors['get_guest'].extend(
            [exception.HypervisorUnavailable()] * 2)
        self.source.errors['migrateSetMaxDowntime'].append(names.busy())
        self.switches()
        self.source.ends(7, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))
        self.assertEqual(1, self.source.count('migrateSetMaxDowntime'))

    def test_nova_compute_stops(self):
        self.source.become(job=copying(1))
        self.clock.at(2, self.stopping.set)
        self.assertEqual((End.UNWATCHED, None, False), self.watch())
        # What libvirt does is left alone.
        self.assertEqual(['migrateSetMaxDowntime'],
                         [name for name, *_args in self.source.asked])


class TestTimeout(base.MonitorTestCase):
    """Pre-copy takes longer than it may, and nobody wants a switch."""

    def setUp(self):
        super().setUp()
        self.flags(switch_policy='manual', group='post_copy')
        self.flags(live_migration_completion_timeout=5,
                   live_migration_timeout_action='abort', group='libvirt')
        self.source.become(job=copying(1))
        self.source.at(4, job=copying(2))
        self.error = scripted.libvirt_error('canceled by client')
        self.source.effects['abortJob'] = lambda: self.source.ends(
            self.clock.now + 1, self.error)

    def test_aborted(self):
        # At least 2 GiB are counted.
        self.assertEqual(
            (End.STOPPED, 'pre-copy timed out after 10 s', False),
            self.watch())
        self.assertTrue(11 <= self.clock.now <= 13, self.clock.now)
        self.assertEqual(1, self.source.count('abortJob'))
        self.assert_not_switched()

    def test_refused_by_libvirt(self):
        self.source.errors['abortJob'].extend([names.busy()] * 3)
        self.assertIs(End.STOPPED, self.watch().end)
        self.assertEqual(1, self.source.count('abortJob'))

    def test_ends_by_itself_all_the_same(self):
        self.source.effects['abortJob'] = lambda: self.source.ends(
            self.clock.now + 1, state=scripted.MIGRATED)
        self.assertEqual((End.COMPLETED, None, True), self.watch())

    def test_completed_by_force_instead(self):
        self.source.flows = True
        self.flags(live_migration_timeout_action='force_complete',
                   group='libvirt')
        self.switches()
        self.source.ends(20, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual(0, self.source.count('abortJob'))
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))


class TestFailureBeforeTheSwitch(base.MonitorTestCase):

    def setUp(self):
        super().setUp()
        self.source.become(job=copying(1))

    def test_abort(self):
        error = scripted.aborted()
        self.source.ends(1, error)
        self.assertEqual((End.CANCELLED, error, False), self.watch())

    def test_abort_that_libvirt_calls_a_failure(self):
        error = scripted.libvirt_error('Unable to write to socket')
        self.source.at(1, job=copying(2))
        self.source.ends(2, error)
        self.requests.append('abort')
        self.assertEqual((End.CANCELLED, error, False), self.watch())
        self.assert_not_switched()

    def test_abort_while_it_is_switched(self):
        error = scripted.libvirt_error('Unable to write to socket')
        self.requests.append('force-complete')
        self.source.effects['migrateStartPostCopy'] = lambda: (
            self.requests.append('abort'))
        self.source.ends(2, error)
        self.assertEqual((End.CANCELLED, error, False), self.watch())
        self.assertEqual(['abort'], list(self.requests))

    def test_failure(self):
        for error in (scripted.libvirt_error('disk full'),
                      ValueError('no such volume')):
            self.source.operation = futurist.Future()
            self.source.ends(self.clock.now + 1, error)
            self.assertEqual((End.FAILED, error, False), self.watch())

    def test_guest_that_libvirt_has_paused(self):
        error = scripted.libvirt_error('disk full')
        self.source.ends(1, error, state=scripted.PAUSED)
        self.assertEqual((End.FAILED, error, False), self.watch())

    def test_guest_has_left_all_the_same(self):
        for left in (scripted.MIGRATED, None):
            self.source.operation = futurist.Future()
            if left is None:
                self.clock.at(self.clock.now + 1, lambda: (
                    self.source.errors['state'].append(
                        scripted.no_domain())))
            self.source.ends(
                self.clock.now + 1, names.connection_lost(), state=left)
            # Nobody has seen it arrive.
            self.assertEqual((End.COMPLETED, None, False), self.watch())

    def test_qemu_dies(self):
        self.source.ends(1, scripted.libvirt_error('died'),
                         state=scripted.CRASHED)
        self.destination.condition = Condition.ABSENT
        self.assertEqual(
            (End.FAILED, 'QEMU on the source has exited', False),
            self.watch())

    def test_guest_shuts_itself_down(self):
        self.source.ends(1, scripted.libvirt_error('domain is not running'),
                         state=scripted.POWERED_OFF)
        self.destination.condition = Condition.ABSENT
        self.assertEqual(
            (End.FAILED, 'the server has shut itself down', False),
            self.watch())

    def test_qemu_dies_when_the_guest_has_just_arrived(self):
        # At the end of pre-copy, before libvirt here was told.
        self.source.ends(1, scripted.libvirt_error('died'),
                         state=scripted.CRASHED)
        for there, arrives in ((None, 30), (Condition.MIGRATING, 40)):
            self.clock.at(arrives, lambda: setattr(
                self.destination, 'condition', Condition.RUNNING))
            self.destination.condition = there
            self.assertEqual((End.COMPLETED, None, True), self.watch())

    def test_libvirt_is_restarted(self):
        error = names.connection_lost()
        self.source.ends(1, error)
        # Only when it is back can it say where the guest is.
        away = self.source.errors['get_guest']
        away.extend([exception.HypervisorUnavailable()] * 100)
        self.clock.at(9, away.clear)
        self.assertEqual((End.FAILED, error, False), self.watch())
        self.assertEqual(9, self.clock.now)

    def test_job_goes_on_without_its_call(self):
        self.clock.at(1, lambda: self.source.operation.set_result(
            names.connection_lost()))
        self.source.at(2, job=copying(2))
        self.switches()
        self.source.at(5, state=scripted.MIGRATED, job={})
        self.assertEqual((End.COMPLETED, None, False), self.watch())
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))
