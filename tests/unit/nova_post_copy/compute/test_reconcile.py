# SPDX-License-Identifier: Apache-2.0

import os
from unittest import mock

import fixtures
from keystoneauth1 import exceptions as ks_exc
from nova.compute import task_states
from nova.compute import vm_states
from nova import exception as nova_exception
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import lost
from nova_post_copy.compute import manager
from nova_post_copy.compute import reconcile
from nova_post_copy.compute import record
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception
from nova_post_copy.virt.libvirt import driver
from tests.unit.nova_post_copy.compute import base
from tests.unit.nova_post_copy.compute import records

# Of neutron's client, which Nova wraps.
CLIENT = ('show_port_binding', 'activate_port_binding')
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
                (vars(base.Volumes), real.volume_api),
                (vars(base.Driver), driver.LibvirtDriver)):
            for name in set(like) - {'_outside', '_release', *CLIENT}:
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
        self.status('completed')
        self.change(task_state=None)
        self.assertFalse(self.ours())

    def test_reset(self):
        # It says nothing about the migration.
        self.change(task_state=None)
        self.assertTrue(self.ours())
        self.assertIsNotNone(record.load(self.instance.uuid))

    def test_junk_is_removed(self):
        self.damage()
        self.migration.post_copy = False
        self.migration.save()
        self.change(task_state=None)
        self.assertFalse(self.ours())
        self.assert_closed()

    def test_damaged_record_of_one_that_is_over(self):
        for host, status, outcome, known in (
                ('src', 'cancelled', 'rolled back', True),
                # Cinder tells which attachments are the source's.
                ('dest', 'completed', 'arrived', False),
                ('dest', 'error', 'lost', False)):
            self.damage()
            self.change(host=host, task_state=None)
            self.status(status)
            self.assertTrue(self.ours())
            kept = record.load(self.instance.uuid)
            self.assertEqual((outcome, known), (
                kept.outcome, kept.source_bdms is not None))

    def test_cannot_be_read_now(self):
        self.keep()
        self.useFixture(fixtures.MockPatch(
            'builtins.open', side_effect=PermissionError))
        self.assertTrue(self.ours())
        self.assertRaises(record.Unreadable, self.bring_to_end)

    def test_junk_that_cannot_be_removed(self):
        os.makedirs('%s/post_copy/%s.json' % (
            record.CONF.state_path, self.instance.uuid))
        self.status('completed')
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
            self.assertRaises(OSError, self.bring_to_end)
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
                      Condition.MIGRATING, Condition.POST_COPY,
                      Condition.BROKEN, Condition.MIGRATED,
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

    def test_not_started(self):
        self.keep(started=False)
        self.bring_to_end()
        self.assertTrue(
            self.driver.watched['recover']['pre_live_migration'])
        # Whether the destination has connected anything is told when it is
        # rolled back: until then the database has the source's connections.
        self.assertEqual([], self.outside.done)

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
        self.keep(outcome='rolled back', source_bdms=records.none())
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
        # The monitor finds that libvirt has never begun.
        self.assertEqual(('queued', 'migrating'), self.now())
        self.assertTrue(
            self.driver.watched['recover']['pre_live_migration'])

    def test_reset_does_not_stop_libvirt(self):
        for found in (Condition.RUNNING, Condition.PAUSED, Condition.SHUTOFF,
                      *ELSEWHERE):
            self.keep()
            self.change(task_state=None)
            self.driver.condition = found
            self.bring_to_end()
            self.assertEqual('migrating', self.driver.watched['task_state'])
            self.assertEqual(('running', 'migrating'), self.now())

    def test_reset_does_not_give_up_a_broken_one(self):
        for vm_state in (vm_states.ERROR, vm_states.ACTIVE):
            self.keep()
            self.change(task_state=None, vm_state=vm_state)
            self.driver.condition = Condition.BROKEN
            self.bring_to_end()
            self.assertEqual(('running', 'migrating'), self.now())
            self.assertEqual(vm_states.ACTIVE, self.instance.vm_state)

    def test_paused_guest_is_paused_again(self):
        self.keep()
        self.change(task_state=None, vm_state=vm_states.ACTIVE)
        self.driver.condition = Condition.PAUSED
        self.bring_to_end()
        self.now()
        self.assertEqual(vm_states.PAUSED, self.instance.vm_state)

    def test_given_up_but_it_runs_here(self):
        # The source was down, not dead, and copies on.
        self.keep()
        self.change(task_state=None)
        self.status('error')
        self.bring_to_end()
        self.assertEqual([('abort', self.instance.uuid)], self.outside.done)
        self.assertEqual('migrating', self.driver.watched['task_state'])

    def test_given_up_but_it_has_left(self):
        self.keep()
        self.change(task_state=None)
        self.status('error')
        self.driver.condition = Condition.POST_COPY
        self.bring_to_end()
        self.assertEqual(('running (post-copy)', 'migrating'), self.now())
        self.assertIsNotNone(self.driver.watched)

    def test_given_up_and_evacuated_just_now(self):
        self.keep()
        self.change(task_state=task_states.REBUILDING)
        self.status('error')
        self.assertRaises(reconcile.NotYet, self.bring_to_end)
        self.assert_untouched()

    def test_delete_is_remembered(self):
        for task_state, delete_type in (
                (task_states.DELETING, 'delete'),
                (task_states.SOFT_DELETING, 'soft_delete')):
            self.keep()
            self.change(task_state=task_state)
            self.driver.condition = Condition.POST_COPY
            self.bring_to_end()
            self.assertEqual(
                delete_type, record.load(self.instance.uuid).delete_type)
            self.assertEqual('migrating', self.driver.watched['task_state'])

    def test_delete_of_one_that_was_cancelled(self):
        for delete_type, done in (
                ('delete', ('terminate here', 'deleting')),
                ('soft_delete', ('soft delete here', 'soft-deleting'))):
            self.outside.done.clear()
            self.keep(started=False, delete_type=delete_type)
            self.status('cancelled')
            self.change(task_state='migrating')
            self.bring_to_end()
            self.assertEqual([done], self.outside.done)
            self.assert_closed()

    def test_bindings_follow_the_guest_until_neutron_agrees(self):
        self.keep(outcome='rolled back', source_bdms=records.none())
        self.change(task_state=None)
        self.status('error')
        self.network.bindings = {'src': 'INACTIVE', 'dest': 'ACTIVE'}
        self.outside.error = 'activate'
        self.assertRaises(test.TestingException, self.bring_to_end)
        self.assertTrue(record.exists(self.instance.uuid))
        self.outside.error = None
        self.bring_to_end()
        self.assertEqual({'src': 'ACTIVE'}, self.network.bindings)
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

    def setUp(self):
        super().setUp()
        self.driver.condition = Condition.ABSENT

    def test_deleted(self):
        self.keep()
        self.manager.reportclient._held.add(self.migration.uuid)
        self.instance.destroy()
        self.assertIsNone(self.bring_to_end())
        self.assertEqual(
            [('release', 'migration'),
             ('delete attachment', uuids.source_attachment)],
            self.outside.done)
        self.assert_closed()

    def test_deleted_and_its_record_is_damaged(self):
        # Rolled back before; only Cinder knows what is left there.
        self.damage()
        self.status('error')
        self.instance.destroy()
        forgotten = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.closing.forget',
            lambda manager, instance, kept: forgotten.append(kept.outcome)))
        self.assertIsNone(self.bring_to_end())
        self.assertEqual(['rolled back'], forgotten)

    def test_deleted_and_purged(self):
        self.damage()
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.Instance.get_by_uuid', mock.Mock(
                side_effect=nova_exception.InstanceNotFound(
                    instance_id='it'))))
        self.assertIsNone(self.bring_to_end())
        self.assert_closed()

    def test_deleted_while_it_was_left_here(self):
        self.keep()
        self.change(host='dest')
        self.instance.destroy()
        for found in (Condition.BROKEN, Condition.ABSENT):
            self.keep()
            self.outside.done.clear()
            self.driver.condition = found
            self.bring_to_end()
            self.assertEqual(('remove', self.instance.uuid, True),
                             self.outside.done[0])
            self.assert_closed()

    def test_moved(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.assertIsNone(self.bring_to_end())
        self.assertEqual(('completed', None), self.now())
        self.assertEqual(
            [('give back source', self.migration.id),
             ('delete attachment', uuids.source_attachment)],
            self.outside.done)
        self.assert_closed()

    def test_given_up_when_all_had_arrived(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.status('completed')
        self.driver.condition = Condition.MIGRATED
        self.bring_to_end()
        # The steps that upstream has not taken here.
        self.assertEqual(('remove', self.instance.uuid, True),
                         self.outside.done[0])
        self.assert_closed()

    def test_runs_here_though_it_is_recorded_there(self):
        self.keep()
        self.change(host='dest', task_state=None)
        for found in (Condition.RUNNING, Condition.POST_COPY,
                      Condition.UNKNOWN):
            self.driver.condition = found
            self.assertRaises(reconcile.NotYet, self.bring_to_end)
        self.assert_untouched()

    def test_third_host_is_neither(self):
        self.keep()
        self.change(host='third', task_state=None)
        self.driver.condition = Condition.BROKEN
        self.network.bindings = {
            'src': 'INACTIVE', 'dest': 'INACTIVE', 'third': 'ACTIVE'}
        self.bring_to_end()
        self.assertEqual(('error', None), self.now())
        self.assertEqual({'third': 'ACTIVE'}, self.network.bindings)
        self.assertEqual([self.instance.uuid],
                         record.all_instances(record.LOST))

    def test_third_host_and_a_copy_here(self):
        self.keep()
        self.change(host='third', task_state=None)
        self.driver.condition = Condition.RUNNING
        self.assertRaises(reconcile.NotYet, self.bring_to_end)
        self.assert_untouched()

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

    def test_cinder_does_not_answer(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.manager.reportclient._held.add(self.migration.uuid)
        self.outside.error = 'delete attachment'
        self.assertRaises(test.TestingException, self.bring_to_end)
        # Nothing else waits for Cinder.
        self.assertFalse(self.manager.reportclient._held)
        self.assertTrue(record.exists(self.instance.uuid))
        self.outside.error = None
        self.bring_to_end()
        self.assert_closed()

    def test_lost(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.status('error')
        self.bring_to_end()
        self.assertEqual(('error', None), self.now())
        self.assert_closed()
        self.assertEqual([self.instance.uuid],
                         record.all_instances(record.LOST))
        # Its half here has them open.
        self.assertNotIn('delete attachment',
                         [what[0] for what in self.outside.done])

    def test_deferred_delete(self):
        for delete_type, done in (
                ('delete', ('terminate', 'dest', 'deleting')),
                ('soft_delete', ('soft delete', 'dest', 'soft-deleting'))):
            self.keep(delete_type=delete_type)
            self.change(host='dest', task_state=None)
            self.bring_to_end()
            self.assertEqual(done, self.outside.done[-1])
            self.assertEqual('completed', self.now()[0])
            self.assert_closed()

    def test_deferred_delete_of_one_that_was_lost(self):
        self.keep(delete_type='delete')
        self.status('error')
        self.change(host='dest', task_state=None)
        self.driver.condition = Condition.BROKEN
        self.bring_to_end()
        # What is left here would never go away.
        self.assertEqual(
            [('remove', self.instance.uuid, True),
             ('delete attachment', uuids.source_attachment),
             ('terminate', 'dest', 'deleting')], self.outside.done[-3:])

    def test_deferred_soft_delete_of_one_that_was_lost(self):
        self.keep(delete_type='soft_delete')
        self.status('error')
        self.change(host='dest', task_state=None)
        self.driver.condition = Condition.BROKEN
        self.bring_to_end()
        # It may be restored.
        self.assertNotIn('remove', [what[0] for what in self.outside.done])
        self.assertEqual([self.instance.uuid],
                         record.all_instances(record.LOST))

    def test_deferred_delete_goes_on_where_it_failed(self):
        self.keep(delete_type='delete')
        self.status('error')
        self.change(host='dest', task_state=None)
        self.driver.condition = Condition.SHUTOFF
        self.outside.error = 'remove'
        self.assertRaises(test.TestingException, self.bring_to_end)
        self.outside.error = None
        self.bring_to_end()
        self.assertEqual(('terminate', 'dest', 'deleting'),
                         self.outside.done[-1])
        self.assert_closed()

    def test_disks_that_are_shared_are_not_deleted_here(self):
        # Upstream asks two questions: RBD images are shared, and the
        # directories are not.
        for path, block in ((True, True), (False, True), (True, False)):
            migrate_data = records.make().migrate_data
            migrate_data.is_shared_instance_path = path
            migrate_data.is_shared_block_storage = block
            self.outside.done.clear()
            self.keep(delete_type='delete', migrate_data=migrate_data)
            self.status('error')
            self.change(host='dest', task_state=None)
            self.driver.condition = Condition.BROKEN
            self.bring_to_end()
            self.assertIn(('remove', self.instance.uuid, False),
                          self.outside.done)


class TestMoveLost(base.ReconcileTestCase):

    def setUp(self):
        super().setUp()
        self.network.bindings = {'src': 'ACTIVE', 'dest': 'INACTIVE'}

    def move(self):
        lost.move_lost(
            self.manager, self.context, self.instance, self.migration,
            exception.PostCopyLost(host='src', dest='dest', reason='why'))

    def test_recorded_where_its_disk_is(self):
        self.move()
        self.assertEqual(('error', None), self.now())
        self.assertEqual(
            ('dest', 'node-dest', 42, vm_states.ERROR),
            (self.instance.host, self.instance.node,
             self.instance.compute_id, self.instance.vm_state))
        self.assertIn('reboot --hard', self.fault())
        # Nothing is started, stopped or deleted.
        self.assertEqual(
            [('activate', 'dest'),
             ('give back source', self.migration.id)], self.outside.done)

    def test_started_again_by_who_has_given_it_up(self):
        self.change(host='dest', task_state=None, vm_state=vm_states.ACTIVE)
        self.move()
        self.now()
        self.assertEqual(vm_states.ACTIVE, self.instance.vm_state)
        self.assertIsNone(self.fault())

    def test_evacuated_by_who_has_given_it_up(self):
        # While the source still tried to resume.
        self.change(host='third', task_state=None, vm_state=vm_states.ACTIVE)
        self.move()
        self.now()
        self.assertEqual(('third', vm_states.ACTIVE, 'error'), (
            self.instance.host, self.instance.vm_state,
            self.migration.status))
        self.assertNotIn(('activate', 'dest'), self.outside.done)
        self.assertIsNone(self.fault())
