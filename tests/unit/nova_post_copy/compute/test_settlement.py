# SPDX-License-Identifier: Apache-2.0

import datetime
import os
from unittest import mock

import fixtures
from keystoneauth1 import exceptions as ks_exc
from nova.compute import task_states
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova.network import model
from nova import objects
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova_post_copy.compute import manager
from nova_post_copy.compute import record
from nova_post_copy.compute import settlement
from nova_post_copy.condition import Condition
from nova_post_copy import exception
from nova_post_copy.virt.libvirt import driver
from tests.unit.nova_post_copy.compute import records

ELSEWHERE = (Condition.MIGRATING, Condition.POST_COPY, Condition.MIGRATED,
             Condition.ABSENT)


class Driver:
    """libvirt of this host."""

    def __init__(self, outside):
        self._outside = outside
        self.condition = Condition.RUNNING
        self.broken = []
        self.watched = None

    def post_copy_condition(self, instance):
        return self.condition

    def post_copy_broken_guests(self):
        return self.broken

    def watch_live_migration(self, context, instance, dest, post_method,
                             recover_method, block_migration, migrate_data):
        self.watched = {
            'request_id': context.request_id, 'dest': dest,
            'task_state': instance.task_state, 'post': post_method.keywords,
            'recover': recover_method.keywords,
            'block_migration': block_migration, 'data': migrate_data}

    def destroy(self, context, instance, network_info,
                block_device_info=None, destroy_disks=True):
        self._outside.do('destroy', instance.uuid, destroy_disks)


class Outside:
    """Whatever nova-compute reaches, and whether that works."""

    def __init__(self):
        self.done = []
        self.error = None

    def do(self, *what):
        if self.error == what[0]:
            raise test.TestingException(what[0])
        self.done.append(what)


class Network:
    def __init__(self, outside):
        self._outside = outside

    def migrate_instance_start(self, context, instance, migration):
        self._outside.do('activate ports', migration.dest_compute)

    def setup_networks_on_host(self, context, instance, host, teardown):
        self._outside.do('remove ports', host, teardown)


class Compute:
    def __init__(self, outside):
        self._outside = outside

    def terminate_instance(self, context, instance, bdms):
        self._outside.do('terminate', instance.host, instance.task_state)


class Placement:
    """What each migration holds there, besides its instance."""

    def __init__(self, outside):
        self._outside = outside
        self._held = set()

    def get_allocs_for_consumer(self, context, consumer):
        if self._outside.error == 'placement':
            raise ks_exc.ConnectFailure()
        return {'allocations': {'provider': {}} if consumer in self._held
                else {}}


class Manager:
    """nova-compute, as far as it reaches out of the database."""

    host = 'src'

    def __init__(self, outside):
        self._outside = outside
        self.driver = Driver(outside)
        self.network_api = Network(outside)
        self.compute_rpcapi = Compute(outside)
        self.reportclient = Placement(outside)

    def _post_live_migration_update_host(self):
        pass

    def _rollback_live_migration(self):
        pass

    def _delete_allocation_after_move(self, context, instance, migration):
        self._outside.do('give back source', migration.id)
        self._release(migration)

    def _revert_allocation(self, context, instance, migration):
        self._outside.do('give back destination', migration.id)
        self._release(migration)

    def _release(self, migration):
        # As upstream: who does not answer is taken for one who did.
        if self._outside.error != 'placement':
            self.reportclient._held.discard(migration.uuid)

    def _remove_remote_volume_connections(self, context, dest, bdms,
                                          instance):
        self._outside.do('disconnect', dest, [bdm.volume_id for bdm in bdms])

    def _get_compute_info(self, context, host):
        return objects.ComputeNode(id=42, hypervisor_hostname='node-' + host)


class TestManager(test.NoDBTestCase):

    def test_is_like_the_real_one(self):
        self.flags(compute_driver='fake.SmallFakeDriver')
        real = manager.ComputeManager()
        fake = Manager(Outside())
        for like, whole in (
                (dir(fake), real), (vars(Network), real.network_api),
                (vars(Compute), real.compute_rpcapi),
                (vars(Placement), real.reportclient),
                (vars(Driver), driver.LibvirtDriver)):
            for name in set(like) - {'_outside', '_release'}:
                self.assertTrue(hasattr(whole, name), name)


class SettlementTestCase(test.TestCase):
    """A server whose live migration from ``src`` to ``dest`` is not over."""

    def setUp(self):
        super().setUp()
        self.flags(state_path=self.useFixture(fixtures.TempDir()).path)
        self.flags(host='src')
        self.context = nova_context.get_admin_context()
        self.outside = Outside()
        self.manager = Manager(self.outside)
        self.driver = self.manager.driver
        self.instance = objects.Instance(
            self.context, host='src', node='node-src', compute_id=1,
            project_id='project', user_id='user', vm_state=vm_states.ACTIVE,
            task_state=task_states.MIGRATING, flavor=objects.Flavor(
                id=1, name='small', memory_mb=512, vcpus=1, root_gb=1,
                ephemeral_gb=0, flavorid='1', swap=0, rxtx_factor=1.0,
                vcpu_weight=0, disabled=False, is_public=True,
                extra_specs={}))
        self.instance.create()
        self.instance.info_cache = objects.InstanceInfoCache(
            self.context, instance_uuid=self.instance.uuid,
            network_info=model.NetworkInfo())
        self.instance.info_cache.save()
        self.action = objects.InstanceAction.action_start(
            self.context, self.instance.uuid, 'live-migration')
        self.migration = self.migrates()

    def migrates(self, status='running', post_copy=True, **fields):
        migration = objects.Migration(self.context, **{
            'instance_uuid': self.instance.uuid, 'status': status,
            'migration_type': 'live-migration', 'source_compute': 'src',
            'dest_compute': 'dest'} | fields)
        if post_copy is not None:
            migration.post_copy = post_copy
        migration.create()
        return migration

    def keep(self, **changes):
        record.write(records.make(self.instance.uuid, **{
            'migration_id': self.migration.id, 'started': True} | changes))

    def damage(self):
        self.keep()
        path = '%s/post_copy/%s.json' % (
            record.CONF.state_path, self.instance.uuid)
        with open(path, 'w') as stream:
            stream.write('{')

    def change(self, **fields):
        for name, value in fields.items():
            setattr(self.instance, name, value)
        self.instance.save()

    def status(self, status):
        self.migration.status = status
        self.migration.save()

    def now(self):
        """Return status of the migration and task state of the instance."""
        self.migration = objects.Migration.get_by_id(
            self.context, self.migration.id)
        self.instance.refresh()
        return self.migration.status, self.instance.task_state

    def fault(self):
        faults = objects.InstanceFaultList.get_by_instance_uuids(
            self.context, [self.instance.uuid])
        return faults[0].message if faults else None

    def settle(self):
        return settlement.settle(self.manager, self.instance.uuid)

    def assert_closed(self):
        self.assertFalse(record.exists(self.instance.uuid))

    def assert_untouched(self):
        """Check that nothing was done outside of the records."""
        self.assertEqual([], self.outside.done)
        self.assertIsNone(self.driver.watched)


class TestIsOurs(SettlementTestCase):

    def ours(self):
        return settlement.is_ours(self.context, 'src', self.instance)

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
            self.assertIsNone(self.settle())
        # Once there is room again.
        self.settle()
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


class TestGoOn(SettlementTestCase):
    """The instance is recorded here; where the guest is, libvirt says."""

    def test_watched(self):
        for found in (Condition.RUNNING, Condition.PAUSED, Condition.SHUTOFF,
                      Condition.MIGRATING, Condition.MIGRATED,
                      Condition.ABSENT):
            self.keep()
            self.driver.condition = found
            self.assertEqual(self.instance.uuid, self.settle().uuid)
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
            self.settle()
            self.assertEqual([('activate ports', 'dest')], self.outside.done)
            self.assertIsNotNone(self.driver.watched)

    def test_not_watched_before_the_ports_are(self):
        self.keep()
        self.driver.condition = Condition.POST_COPY
        self.outside.error = 'activate ports'
        self.assertRaises(test.TestingException, self.settle)
        self.assertIsNone(self.driver.watched)

    def test_not_started(self):
        self.keep(started=False)
        self.settle()
        self.assertTrue(
            self.driver.watched['recover']['pre_live_migration'])
        ((what, dest, volumes),) = self.outside.done
        self.assertEqual(('disconnect', 'dest', 1),
                         (what, dest, len(volumes)))

    def test_libvirt_does_not_answer(self):
        self.keep()
        self.driver.condition = Condition.UNKNOWN
        self.assertRaises(
            nova_exception.HypervisorUnavailable, self.settle)
        self.assert_untouched()
        self.assertTrue(record.exists(self.instance.uuid))

    def test_cancelled_while_it_was_queued(self):
        self.keep(started=False)
        self.change(task_state=None)
        self.status('cancelled')
        self.assertEqual(self.instance.uuid, self.settle().uuid)
        self.assertEqual(('cancelled', None), self.now())
        self.assert_untouched()
        self.assert_closed()

    def test_placement_did_not_answer_when_it_was_rolled_back(self):
        self.keep()
        self.status('error')
        self.change(task_state=None)
        self.manager.reportclient._held.add(self.migration.uuid)
        self.settle()
        self.assertEqual([('give back destination', self.migration.id)],
                         self.outside.done)
        self.assert_closed()

    def test_reset_before_it_started(self):
        self.keep(started=False)
        self.change(task_state=None)
        self.status('queued')
        self.settle()
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
            self.settle()
            self.assertEqual('migrating', self.driver.watched['task_state'])
            self.assertEqual(('running', 'migrating'), self.now())

    def test_reset_gives_up_a_broken_one(self):
        self.keep()
        self.change(task_state=None)
        self.driver.condition = Condition.BROKEN
        self.settle()
        # So the monitor sees that it was.
        self.assertIsNone(self.driver.watched['task_state'])

    def test_delete_is_remembered(self):
        self.keep()
        self.change(task_state=task_states.DELETING)
        self.driver.condition = Condition.POST_COPY
        self.settle()
        self.assertTrue(record.load(self.instance.uuid).deleting)
        self.assertEqual('migrating', self.driver.watched['task_state'])

    def test_delete_of_one_that_is_not_started(self):
        self.keep(started=False)
        self.change(task_state=task_states.DELETING)
        self.settle()
        self.assertEqual(('terminate', 'src', 'deleting'),
                         self.outside.done[-1])
        self.assert_closed()

    def test_again_after_a_failure(self):
        self.keep(started=False)
        self.change(task_state=None)
        self.outside.error = 'remove ports'
        self.assertRaises(test.TestingException, self.settle)
        self.assertTrue(record.exists(self.instance.uuid))
        self.outside.error = None
        self.settle()
        self.assertEqual(('error', None), self.now())
        self.assert_closed()

    def test_unreadable_record(self):
        self.damage()
        self.settle()
        self.assertEqual(
            (self.action.request_id, 'dest'),
            (self.driver.watched['request_id'], self.driver.watched['dest']))

    def test_unreadable_record_of_one_that_is_over(self):
        self.damage()
        self.change(task_state=None)
        self.status('completed')
        self.assertEqual(self.instance.uuid, self.settle().uuid)
        self.assert_untouched()
        self.assert_closed()

    def test_unreadable_record_of_one_that_is_on_its_way(self):
        self.damage()
        self.status('accepted')
        self.assertIsNone(self.settle())
        self.assert_untouched()
        self.assert_closed()


class TestFinish(SettlementTestCase):
    """The instance is not recorded here any more."""

    def test_deleted(self):
        self.keep()
        self.instance.destroy()
        self.assertIsNone(self.settle())
        self.assert_untouched()
        self.assert_closed()

    def test_moved(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.assertIsNone(self.settle())
        self.assertEqual(('completed', None), self.now())
        self.assertEqual([('give back source', self.migration.id)],
                         self.outside.done)
        self.assert_closed()

    def test_placement_does_not_answer(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.manager.reportclient._held.add(self.migration.uuid)
        self.outside.error = 'placement'
        self.assertRaises(ks_exc.ConnectFailure, self.settle)
        self.assertTrue(record.exists(self.instance.uuid))
        self.outside.error = None
        self.settle()
        self.assertFalse(self.manager.reportclient._held)
        self.assertFalse(record.exists(self.instance.uuid))

    def test_lost(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.status('error')
        self.settle()
        self.assertEqual(('error', None), self.now())
        self.assert_closed()

    def test_placement_is_away(self):
        self.keep()
        self.change(host='dest', task_state=None)
        self.outside.error = 'give back source'
        self.assertRaises(test.TestingException, self.settle)
        self.assertTrue(record.exists(self.instance.uuid))

    def test_deferred_delete(self):
        self.keep(deleting=True)
        self.change(host='dest', task_state=None)
        self.driver.condition = Condition.ABSENT
        self.settle()
        self.assertEqual(
            [('give back source', self.migration.id),
             ('terminate', 'dest', 'deleting')], self.outside.done)
        self.assertEqual(('completed', 'deleting'), self.now())
        self.assert_closed()

    def test_deferred_delete_of_one_that_was_lost(self):
        self.keep(deleting=True)
        self.change(host='dest', task_state=None)
        self.driver.condition = Condition.BROKEN
        self.settle()
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
        self.assertRaises(test.TestingException, self.settle)
        self.outside.error = None
        self.settle()
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
            self.settle()
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
        self.settle()
        self.assertIn(('destroy', self.instance.uuid, False),
                      self.outside.done)


class TestMoveLost(SettlementTestCase):

    def test_recorded_where_its_disk_is(self):
        settlement.move_lost(
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


class TestLostSource(SettlementTestCase):
    """On the destination, whose guest lacks memory."""

    def setUp(self):
        super().setUp()
        self.status('interrupted (post-copy)')
        self.manager.host = 'dest'
        self.up = False
        self.useFixture(fixtures.MonkeyPatch(
            'nova.servicegroup.API.service_is_up',
            lambda api, service: self.up and service.host == 'src'))
        self.driver.broken = [self.instance.uuid]
        objects.Service(self.context, host='src',
                        binary='nova-compute').create()

    def report(self):
        settlement.report_lost_sources(self.manager, self.context)
        self.instance.refresh()
        return self.instance.vm_state

    def test_source_is_silent(self):
        self.assertEqual(vm_states.ERROR, self.report())
        self.assertIn('part of its memory is on src', self.fault())
        # It recovers if the source comes back.
        self.assertEqual(('interrupted (post-copy)', 'migrating'),
                         self.now())
        self.assertEqual('src', self.instance.host)
        self.assert_untouched()

    def test_told_once(self):
        self.report()
        self.report()
        (_fault,) = objects.InstanceFaultList.get_by_instance_uuids(
            self.context, [self.instance.uuid])

    def test_source_works(self):
        self.up = True
        self.assertEqual(vm_states.ACTIVE, self.report())
        self.assertIsNone(self.fault())

    def test_recorded_here_already(self):
        self.change(host='dest')
        self.assertEqual(vm_states.ACTIVE, self.report())

    def test_operator_gives_it_up(self):
        self.change(task_state=None)
        self.assertEqual(vm_states.ERROR, self.report())
        self.assertEqual(('error', None), self.now())
        self.assertEqual('dest', self.instance.host)
        self.assertIn('given up its source', self.fault())
        self.outside.done.clear()
        # That was all.
        self.report()
        self.assertEqual([], self.outside.done)

    def test_guest_that_nova_does_not_know(self):
        self.driver.broken.insert(0, uuids.unknown)
        self.assertEqual(vm_states.ERROR, self.report())


class TestLostRequest(SettlementTestCase):
    """The conductor was killed while it worked on the request."""

    def setUp(self):
        super().setUp()
        self.status('accepted')
        self.after = settlement.LOST_AFTER + 1

    def find(self, claim=lambda migration: True):
        later = timeutils.utcnow() + datetime.timedelta(seconds=self.after)
        with mock.patch.object(timeutils, 'utcnow', return_value=later):
            settlement.find_lost(self.manager, self.context, claim)
        return self.now()

    def test_given_up(self):
        self.assertEqual(('error', None), self.find())
        self.assertEqual(
            [('give back destination', self.migration.id),
             ('remove ports', 'dest', True)], self.outside.done)
        self.assertIn('lost on its way', self.fault())
        self.assertEqual(vm_states.ACTIVE, self.instance.vm_state)

    def test_no_destination_yet(self):
        self.migration.dest_compute = None
        self.migration.save()
        self.assertEqual(('error', None), self.find())
        self.assertEqual([('give back destination', self.migration.id)],
                         self.outside.done)
        self.assertIn('live migration to another host failed', self.fault())

    def test_it_may_still_come(self):
        self.after = settlement.LOST_AFTER - 30
        self.assertEqual(('accepted', 'migrating'), self.find())

    def test_it_has_come(self):
        self.assertEqual(('accepted', 'migrating'),
                         self.find(lambda migration: False))
        self.assert_untouched()

    def test_it_has_come_meanwhile(self):
        def claim(migration):
            self.assertEqual(self.migration.id, migration.id)
            self.status('queued')
            return True

        self.assertEqual(('queued', 'migrating'), self.find(claim))
        self.assert_untouched()

    def test_others(self):
        for fields in ({'post_copy': None}, {'source_compute': 'other'},
                       {'migration_type': 'resize'}):
            self.status('error')
            self.migration = self.migrates('accepted', **fields)
            self.assertEqual(('accepted', 'migrating'), self.find(), fields)
        self.assert_untouched()

    def test_too_late(self):
        self.assertFalse(settlement.is_lost(self.context, self.migration))
        arriving = self.migration.obj_clone()
        self.find()
        self.assertTrue(settlement.is_lost(self.context, arriving))
