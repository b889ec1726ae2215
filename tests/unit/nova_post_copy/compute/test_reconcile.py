# SPDX-License-Identifier: Apache-2.0

import os
from unittest import mock

import fixtures
from keystoneauth1 import exceptions as ks_exc
from nova.compute import task_states
from nova.compute import vm_states
from nova import exception as nova_exception
from nova import test

from nova_post_copy.compute import manager
from nova_post_copy.compute import reconcile
from nova_post_copy.compute import record
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception
from nova_post_copy.virt.libvirt import driver
from tests.unit.nova_post_copy.compute import base
from tests.unit.nova_post_copy.compute import records

ELSEWHERE = (Condition.MIGRATING, Condition.POST_COPY, Condition.MIGRATED,
             Condition.ABSENT)


class TestManager(test.NoDBTestCase):

    def test_is_like_the_real_one(self):
        self.flags(compute_driver='fake.SmallFakeDriver')
        real = manager.ComputeManager()
        fake = base.Manager(base.Outside())
        for like, whole in (
                (dir(fake), real), (vars(base.Network), real.network_api),
                (vars(base.Compute), real.compute_rpcapi),
                (vars(base.Placement), real.reportclient),
                (vars(base.Driver), driver.LibvirtDriver)):
            for name in set(like) - {'_outside', '_release'}:
                self.assertTrue(hasattr(whole, name), name)


class TestIsOurs(base.ReconcileTestCase):

    def ours(self):
        return reconcile.is_ours(self.context, 'src', self.instance)

    def test_record(self):
        self.keep()
        # Whatever the database says: the record is removed last.
        self.change(task_state=None)
        self.status('completed')
        self.assertTrue(self.ours())

    def test_nothing(self):
        self.change(task_state=None)
        self.assertFalse(self.ours())

    def test_junk_is_removed(self):
        self.damage()
        self.change(task_state=None)
        self.assertFalse(self.ours())
        self.assert_closed()

    def test_junk_that_cannot_be_removed(self):
        os.makedirs('%s/post_copy/%s.json' % (
            record.CONF.state_path, self.instance.uuid))
        self.change(task_state=None)
        # Not that nova-compute did not start for it.
        self.assertFalse(self.ours())

    def test_others(self):
        for status, fields in (
                ('completed', {}), ('cancelled', {}), ('error', {}),
                ('failed', {}), ('running', {'post_copy': None}),
                ('running', {'post_copy': False}),
                ('running', {'source_compute': 'other'}),
                ('running', {'migration_type': 'resize'})):
            self.status('error')
            self.migration = self.migrates(status, **fields)
            self.assertFalse(self.ours(), (status, fields))
        self.assert_closed()

    def test_rebuilt(self):
        self.damage()
        self.status('running (post-copy)')
        self.assertTrue(self.ours())
        kept = record.load(self.instance.uuid)
        self.assertEqual(
            (self.migration.id, 'dest', self.action.request_id, 'user', True),
            (kept.migration_id, kept.dest, kept.request_id, kept.user_id,
             kept.started))
        # Then no disk is deleted on either host.
        self.assertTrue(kept.migrate_data.is_shared_instance_path)
        self.assertTrue(kept.migrate_data.is_shared_block_storage)

    def test_rebuilt_when_it_was_recovering(self):
        self.status('interrupted (post-copy)')
        self.assertTrue(self.ours())
        self.assertIsNotNone(record.load(self.instance.uuid))

    def test_disk_is_full(self):
        self.damage()
        with mock.patch('os.fsync', side_effect=OSError):
            self.assertTrue(self.ours())
            self.assertIsNone(self.bring_to_end())
        # Once there is room again.
        self.bring_to_end()
        self.assertIsNotNone(self.driver.watched)

    def test_on_its_way(self):
        self.damage()
        self.status('accepted')
        self.assertTrue(self.ours())
        # Otherwise nobody would give it up.
        self.assert_closed()

    def test_database_is_away(self):
        self.damage()
        self.useFixture(fixtures.MockPatch(
            'nova.objects.MigrationList.get_by_filters',
            side_effect=test.TestingException))
        self.assertRaises(test.TestingException, self.ours)
        self.assertTrue(record.exists(self.instance.uuid))


class TestGoOn(base.ReconcileTestCase):
    """The instance is recorded here; where the guest is, libvirt says."""

    def test_watched(self):
        for found in (Condition.RUNNING, Condition.PAUSED, Condition.SHUTOFF,
                      Condition.MIGRATING, Condition.MIGRATED,
                      Condition.ABSENT):
            self.keep()
            self.driver.condition = found
            self.assertEqual(self.instance.uuid, self.bring_to_end().uuid)
            self.assertEqual([], self.outside.done)
            watched = self.driver.watched
            kept = record.load(self.instance.uuid)
            self.assertEqual(
                (kept.request_id, 'dest', 'migrating', True, False),
                (watched['request_id'], watched['dest'],
                 watched['task_state'], watched['block_migration'],
                 watched['recover']['pre_live_migration']))
            # Neither of which the database knows.
            self.assertEqual('192.0.2.2', watched['data'].target_connect_addr)
            for keywords in (watched['post'], watched['recover']):
                self.assertEqual(1, len(keywords['source_bdms']))
            self.assertEqual(self.migration.id,
                             watched['data'].migration.id)

    def test_ports_are_activated_after_the_switch(self):
        for found in (Condition.POST_COPY, Condition.BROKEN):
            self.outside.done.clear()
            self.keep()
            self.driver.condition = found
            self.bring_to_end()
            self.assertEqual([('activate ports', 'dest')], self.outside.done)
            self.assertIsNotNone(self.driver.watched)

    def test_not_watched_before_the_ports_are(self):
        self.keep()
        self.driver.condition = Condition.POST_COPY
        self.outside.error = 'activate ports'
        self.assertRaises(test.TestingException, self.bring_to_end)
        self.assertIsNone(self.driver.watched)

    def test_not_started(self):
        self.keep(started=False)
        self.bring_to_end()
        self.assertTrue(
            self.driver.watched['recover']['pre_live_migration'])
        ((what, dest, volumes),) = self.outside.done
        self.assertEqual(('disconnect', 'dest', 1),
                         (what, dest, len(volumes)))

    def test_libvirt_does_not_answer(self):
        self.keep()
        self.driver.condition = Condition.UNKNOWN
        self.assertRaises(
            nova_exception.HypervisorUnavailable, self.bring_to_end)
        self.assert_untouched()
        self.assertTrue(record.exists(self.instance.uuid))

    def test_cancelled_while_it_was_queued(self):
        self.keep(started=False)
        self.change(task_state=None)
        self.status('cancelled')
        self.assertEqual(self.instance.uuid, self.bring_to_end().uuid)
        self.assertEqual(('cancelled', None), self.now())
        self.assert_untouched()
        self.assert_closed()

    def test_placement_did_not_answer_when_it_was_rolled_back(self):
        self.keep()
        self.status('error')
        self.change(task_state=None)
        self.manager.reportclient._held.add(self.migration.uuid)
        self.bring_to_end()
        self.assertEqual([('give back destination', self.migration.id)],
                         self.outside.done)
        self.assert_closed()

    def test_reset_before_it_started(self):
        self.keep(started=False)
        self.change(task_state=None)
        self.status('queued')
        self.bring_to_end()
        self.assertEqual(('error', None), self.now())
        self.assertEqual(
            [('give back destination', self.migration.id),
             ('remove ports', 'dest', True)], self.outside.done)
        self.assert_closed()

    def test_reset_does_not_stop_libvirt(self):
        for found in (Condition.RUNNING, Condition.PAUSED, Condition.SHUTOFF,
                      *ELSEWHERE):
            self.keep()
            self.change(task_state=None)
            self.driver.condition = found
            self.bring_to_end()
            self.assertEqual('migrating', self.driver.watched['task_state'])
            self.assertEqual(('running', 'migrating'), self.now())

    def test_reset_gives_up_a_broken_one(self):
        self.keep()
        self.change(task_state=None)
        self.driver.condition = Condition.BROKEN
        self.bring_to_end()
        # So the monitor sees that it was.
        self.assertIsNone(self.driver.watched['task_state'])

    def test_delete_is_remembered(self):
        self.keep()
        self.change(task_state=task_states.DELETING)
        self.driver.condition = Condition.POST_COPY
        self.bring_to_end()
        self.assertTrue(record.load(self.instance.uuid).deleting)
        self.assertEqual('migrating', self.driver.watched['task_state'])

    def test_delete_of_one_that_is_not_started(self):
        self.keep(started=False)
        self.change(task_state=task_states.DELETING)
        self.bring_to_end()
        self.assertEqual(('terminate', 'src', 'deleting'),
                         self.outside.done[-1])
        self.assert_closed()

    def test_again_after_a_failure(self):
        self.keep(started=False)
        self.change(task_state=None)
        self.outside.error = 'remove ports'
        self.assertRaises(test.TestingException, self.bring_to_end)
        self.assertTrue(record.exists(self.instance.uuid))
        self.outside.error = None
        self.bring_to_end()
        self.assertEqual(('error', None), self.now())
        self.assert_closed()

    def test_unreadable_record(self):
        self.damage()
        self.bring_to_end()
        self.assertEqual(
            (self.action.request_id, 'dest'),
            (self.driver.watched['request_id'], self.driver.watched['dest']))

    def test_unreadable_record_of_one_that_is_over(self):
        self.damage()
        self.change(task_state=None)
        self.status('completed')
        self.assertEqual(self.instance.uuid, self.bring_to_end().uuid)
        self.assert_untouched()
        self.assert_closed()

    def test_unreadable_record_of_one_that_is_on_its_way(self):
        self.damage()
        self.status('accepted')
        self.assertIsNone(self.bring_to_end())
        self.assert_untouched()
        self.assert_closed()


class TestFinish(base.ReconcileTestCase):
    """The instance is not recorded here any more."""

    def test_deleted(self):
        self.keep()
        self.instance.destroy()
        self.assertIsNone(self.bring_to_end())
        self.assert_untouched()
        self.assert_closed()

    def test_moved(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.assertIsNone(self.bring_to_end())
        self.assertEqual(('completed', None), self.now())
        self.assertEqual([('give back source', self.migration.id)],
                         self.outside.done)
        self.assert_closed()

    def test_placement_does_not_answer(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.manager.reportclient._held.add(self.migration.uuid)
        self.outside.error = 'placement'
        self.assertRaises(ks_exc.ConnectFailure, self.bring_to_end)
        self.assertTrue(record.exists(self.instance.uuid))
        self.outside.error = None
        self.bring_to_end()
        self.assertFalse(self.manager.reportclient._held)
        self.assertFalse(record.exists(self.instance.uuid))

    def test_lost(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.status('error')
        self.bring_to_end()
        self.assertEqual(('error', None), self.now())
        self.assert_closed()

    def test_placement_is_away(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.outside.error = 'give back source'
        self.assertRaises(test.TestingException, self.bring_to_end)
        self.assertTrue(record.exists(self.instance.uuid))

    def test_deferred_delete(self):
        self.keep(deleting=True)
        self.change(host='dest', task_state=None)
        self.driver.condition = Condition.ABSENT
        self.bring_to_end()
        self.assertEqual(
            [('give back source', self.migration.id),
             ('terminate', 'dest', 'deleting')], self.outside.done)
        self.assertEqual(('completed', 'deleting'), self.now())
        self.assert_closed()

    def test_deferred_delete_of_one_that_was_lost(self):
        self.keep(deleting=True)
        self.change(host='dest', task_state=None)
        self.driver.condition = Condition.BROKEN
        self.bring_to_end()
        # What is left here would never go away.
        self.assertIn(('destroy', self.instance.uuid, True),
                      self.outside.done)
        self.assertEqual(('terminate', 'dest', 'deleting'),
                         self.outside.done[-1])

    def test_deferred_delete_goes_on_where_it_failed(self):
        self.keep(deleting=True)
        self.change(host='dest', task_state=None)
        self.driver.condition = Condition.SHUTOFF
        self.outside.error = 'destroy'
        self.assertRaises(test.TestingException, self.bring_to_end)
        self.outside.error = None
        self.bring_to_end()
        self.assertEqual(
            [('destroy', self.instance.uuid, True),
             ('terminate', 'dest', 'deleting')], self.outside.done[-2:])
        self.assert_closed()

    def test_what_is_left_here_is_kept_in_mind(self):
        for found, left in ((Condition.BROKEN, True),
                            (Condition.SHUTOFF, True),
                            (Condition.ABSENT, False)):
            self.keep()
            self.change(host='dest', task_state=None)
            self.status('error')
            self.driver.condition = found
            self.bring_to_end()
            self.assert_closed()
            self.assertEqual([self.instance.uuid] * left,
                             record.all_instances(record.LOST))
            record.remove(self.instance.uuid, record.LOST)
        self.assertNotIn('destroy', [what[0] for what in self.outside.done])

    def test_disks_that_are_shared_are_not_deleted_here(self):
        kept = records.make()
        kept.migrate_data.is_shared_instance_path = True
        self.keep(deleting=True, migrate_data=kept.migrate_data)
        self.change(host='dest', task_state=None)
        self.driver.condition = Condition.BROKEN
        self.bring_to_end()
        self.assertIn(('destroy', self.instance.uuid, False),
                      self.outside.done)


class TestMoveLost(base.ReconcileTestCase):

    def test_recorded_where_its_disk_is(self):
        reconcile.move_lost(
            self.manager, self.context, self.instance, self.migration,
            exception.PostCopyLost(host='src', dest='dest', reason='why'))
        self.assertEqual(('error', None), self.now())
        self.assertEqual(
            ('dest', 'node-dest', 42, vm_states.ERROR),
            (self.instance.host, self.instance.node,
             self.instance.compute_id, self.instance.vm_state))
        self.assertIn('reboot --hard', self.fault())
        # Nothing is started, stopped or deleted.
        self.assertEqual(
            [('activate ports', 'dest'),
             ('give back source', self.migration.id)], self.outside.done)
