# SPDX-License-Identifier: Apache-2.0

import collections

import fixtures
import futurist
from nova.compute import task_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects
from nova import test
from nova.tests.unit import fake_instance
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import manager
from nova_post_copy.compute import record
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception
from tests.unit.nova_post_copy.compute import records

UPSTREAM = 'nova.compute.manager.ComputeManager.'
COMPUTE = 'nova_post_copy.compute.'


class ManagerTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.flags(state_path=self.useFixture(fixtures.TempDir()).path)
        self.flags(host='src', compute_driver='fake.SmallFakeDriver')
        self.done = []
        #: by name: what it raises, once
        self.errors = {}
        #: what waits for a thread
        self.threads = collections.deque()
        self.replace('nova_post_copy.threads.spawn', self._spawn)
        self.context = nova_context.RequestContext(
            'user', 'project', request_id='req-' + uuids.request)
        self.manager = manager.ComputeManager()
        self.instance = fake_instance.fake_instance_obj(
            self.context, host='src', task_state=task_states.MIGRATING)
        self.replace('nova.objects.Instance.save', self._save)
        self.migration = objects.Migration(
            id=7, uuid=uuids.migration, instance_uuid=self.instance.uuid,
            status='accepted', post_copy=True)
        self.migrate_data = records.make().migrate_data
        self.migrate_data.migration = self.migration

    def replace(self, name, function):
        self.useFixture(fixtures.MonkeyPatch(name, function))

    def does(self, name, result=None):
        """Let a method of upstream's, or of another module, be noted."""
        def method(*args, **kwargs):
            short = name.rpartition('.')[2]
            if short in self.errors:
                raise self.errors.pop(short)
            self.done.append(short)
            return result(*args, **kwargs) if callable(result) else result
        self.replace(name, method)

    def _spawn(self, function, *args):
        future = futurist.Future()
        self.threads.append((future, function, args))
        return future

    def run_threads(self):
        while self.threads:
            future, function, args = self.threads.popleft()
            try:
                result = function(*args)
            except Exception as exc:
                future.set_exception(exc)
            else:
                future.set_result(result)

    def _save(self, instance, expected_task_state=None):
        if expected_task_state is not None and (
                expected_task_state != self.task_state):
            raise nova_exception.UnexpectedTaskStateError(
                instance_uuid=instance.uuid, expected=expected_task_state,
                actual=self.task_state)
        self.task_state = instance.task_state

    def keep(self, uuid=None, **changes):
        record.write(records.make(uuid or self.instance.uuid, **changes))

    def assert_kept(self, kept):
        self.assertEqual(kept, record.exists(self.instance.uuid))


class TestLiveMigration(ManagerTestCase):
    """A request arrives at its source."""

    def setUp(self):
        super().setUp()
        self.lost = False
        self.replace(COMPUTE + 'dropped_requests.was_given_up',
                     lambda context, migration: self.lost)
        self.does(UPSTREAM + 'live_migration', self._upstreams)
        self.bdms = records.make().source_bdms
        self.replace('nova.objects.BlockDeviceMappingList.'
                     'get_by_instance_uuid', lambda *args: self.bdms)
        self.replace(
            'nova_post_copy.compute.rpcapi.PostCopyComputeAPI.'
            'recovery_address', lambda api, context, host: '192.0.2.9')

    def _upstreams(self, *args):
        self.kept = record.load(self.instance.uuid)
        self.handled = set(self.manager._handled)

    def live_migration(self):
        self.manager.live_migration(
            self.context, 'dest', self.instance, True, self.migration,
            self.migrate_data)

    def test_recorded_before_upstream_begins(self):
        self.live_migration()
        self.assertEqual(
            (7, 'dest', True, 'req-' + uuids.request, 'user', 'project',
             '192.0.2.9', False, False),
            (self.kept.migration_id, self.kept.dest,
             self.kept.block_migration, self.kept.request_id,
             self.kept.user_id, self.kept.project_id,
             self.kept.recovery_addr, self.kept.started,
             self.kept.deleting))
        self.assertEqual(1, len(self.kept.source_bdms))
        self.assertEqual({self.instance.uuid}, self.handled)
        self.assert_kept(True)

    def test_others_are_upstreams(self):
        for post_copy in (None, False):
            self.migration = objects.Migration(id=7)
            if post_copy is not None:
                self.migration.post_copy = post_copy
            self.live_migration()
            self.assertIsNone(self.kept)
        self.assertEqual(['live_migration'] * 2, self.done)

    def test_too_late(self):
        self.lost = True
        self.live_migration()
        self.assertEqual([], self.done)
        self.assert_kept(False)

    def _find_lost(self):
        """Look for lost requests, of which this is one as it seems."""
        claimed = []
        self.replace(COMPUTE + 'dropped_requests.give_up',
                     lambda manager, context, claim: claimed.append(
                         claim(self.migration)))
        self.manager._give_up_dropped_requests(self.context)
        return claimed.pop()

    def test_arrives_when_it_is_given_up(self):
        self.assertTrue(self._find_lost())
        self.live_migration()
        self.assertEqual([], self.done)
        self.assert_kept(False)

    def test_not_given_up_when_it_has_arrived(self):
        self.live_migration()
        self.assertFalse(self._find_lost())
        # Nor when a former process had accepted it.
        self.manager._handled.clear()
        self.assertFalse(self._find_lost())

    def test_error_is_settled_later(self):
        self.errors['live_migration'] = test.TestingException()
        self.assertRaises(test.TestingException, self.live_migration)
        self.assertEqual(set(), self.manager._handled)
        self.assert_kept(True)

    def test_disk_is_full(self):
        self.replace('nova_post_copy.compute.record.write', self._full)
        self.assertRaises(OSError, self.live_migration)
        self.assertEqual([], self.done)
        self.assertEqual(set(), self.manager._handled)

    def _full(self, kept):
        raise OSError('No space left on device')


class TestCaredFor(ManagerTestCase):
    """A thread takes care of a migration as long as its future is not done."""

    def setUp(self):
        super().setUp()
        self.future = futurist.Future()
        self.does(UPSTREAM + '_start_recorded_task', self._upstreams)
        self.manager._handled.add(self.instance.uuid)

    def _upstreams(self, *args):
        return self.future

    def start(self, name):
        self.assertIs(self.future, self.manager._start_recorded_task(
            None, name, self.instance, self.context, None))
        self.assertEqual({self.instance.uuid}, self.manager._handled)

    def test_until_it_ends(self):
        self.start('live_migration')
        self.future.set_result(None)
        self.assertEqual(set(), self.manager._handled)

    def test_until_it_fails(self):
        self.start('live_migration')
        self.future.set_exception(test.TestingException())
        self.assertEqual(set(), self.manager._handled)

    def test_until_it_is_cancelled(self):
        self.start('live_migration')
        self.future.cancel()
        self.assertEqual(set(), self.manager._handled)

    def test_until_its_work_ends(self):
        # It has given its slot back, because it is interrupted.
        work = futurist.Future()
        self.manager.driver.post_copy_work = lambda uuid: work
        self.start('live_migration')
        self.future.set_result(None)
        self.assertEqual({self.instance.uuid}, self.manager._handled)
        work.set_result(None)
        self.assertEqual(set(), self.manager._handled)

    def test_other_tasks(self):
        self.start('snapshot_instance')
        self.future.set_result(None)
        self.assertEqual({self.instance.uuid}, self.manager._handled)


class TestEnd(ManagerTestCase):

    def setUp(self):
        super().setUp()
        for name in ('_post_live_migration', '_rollback_live_migration',
                     '_post_live_migration_update_host'):
            self.does(UPSTREAM + name)
        self.does(COMPUTE + 'reconcile.move_lost')
        self.replace('nova.objects.Instance.get_by_uuid',
                     lambda cls, *args, **kwargs: self.instance)
        self.replace('nova.objects.Migration.get_by_id',
                     lambda cls, *args: self.migration)
        self.replace(COMPUTE + 'reconcile._release_resources',
                     lambda *args: None)
        self.left = Condition.ABSENT
        self.manager.driver.post_copy_condition = lambda instance: self.left
        self.keep()

    def post(self, **kwargs):
        self.manager._post_live_migration_update_host(
            self.context, self.instance, 'dest', True, self.migrate_data,
            source_bdms=None, **kwargs)

    def roll_back(self, status='error'):
        self.manager._rollback_live_migration(
            self.context, self.instance, 'dest', self.migrate_data, status)

    def test_completed(self):
        self.post()
        self.assertEqual(['_post_live_migration'], self.done)
        self.assert_kept(False)

    def test_what_is_left_behind_is_kept_in_mind(self):
        self.instance.host = 'dest'
        self.left = Condition.BROKEN
        self.post(lost=exception.PostCopyLost(
            host='src', dest='dest', reason='why'))
        self.assert_kept(False)
        self.assertEqual([self.instance.uuid],
                         record.all_instances(record.LOST))

    def test_failed_step_is_repeated_later(self):
        # Upstream would record the host, and leave the rest undone.
        self.errors['_post_live_migration'] = test.TestingException()
        self.assertRaises(test.TestingException, self.post)
        self.assertEqual([], self.done)
        self.assert_kept(True)

    def test_lost(self):
        self.post(lost=exception.PostCopyLost(
            host='src', dest='dest', reason='why'))
        self.assertEqual(['move_lost'], self.done)
        self.assert_kept(False)

    def test_lost_is_repeated_later(self):
        self.errors['move_lost'] = test.TestingException()
        self.assertRaises(
            test.TestingException, self.post, lost=exception.PostCopyLost(
                host='src', dest='dest', reason='why'))
        self.assert_kept(True)

    def test_others_are_upstreams(self):
        self.migrate_data.migration = objects.Migration(id=7)
        self.post()
        self.assertEqual(['_post_live_migration_update_host'], self.done)
        self.assert_kept(True)

    def test_rolled_back(self):
        self.roll_back()
        self.assertEqual(['_rollback_live_migration'], self.done)
        self.assert_kept(False)

    def test_destination_that_could_not_be_prepared(self):
        told = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.instance_fault.add',
            lambda context, instance, fault: told.append(
                fault.format_message())))
        statuses = []
        self.useFixture(fixtures.MonkeyPatch(
            UPSTREAM + '_rollback_live_migration',
            lambda *args: statuses.append(args[5])))
        try:
            raise test.TestingException('disk full')
        except test.TestingException:
            # As upstream does, and calls it so.
            self.roll_back('failed')
        self.assertEqual(['error'], statuses)
        self.assertIn('disk full', told[0])

    def test_rollback_is_repeated_later(self):
        self.errors['_rollback_live_migration'] = test.TestingException()
        self.assertRaises(test.TestingException, self.roll_back)
        self.assert_kept(True)


class TestBringToEnd(ManagerTestCase):
    """What nobody takes care of is taken up."""

    def setUp(self):
        super().setUp()
        self.ours = True
        self.replace(COMPUTE + 'reconcile.is_ours', lambda *args: self.ours)
        self.result = self.instance
        self.settled = []
        self.does(COMPUTE + 'reconcile.bring_to_end', self._bring_to_end)
        self.does(UPSTREAM + '_init_instance')

    def _bring_to_end(self, manager, uuid):
        self.settled.append(uuid)
        return self.result

    def test_each_record(self):
        for uuid in (uuids.a, uuids.b):
            self.keep(uuid)
        self.manager.reconcile_migrations()
        self.run_threads()
        self.assertEqual(sorted([uuids.a, uuids.b]), self.settled)
        self.assertEqual(set(), self.manager._handled)

    def test_once_at_a_time(self):
        self.keep()
        self.manager.reconcile_migrations()
        self.manager.reconcile_migrations()
        self.assertEqual(1, len(self.threads))

    def test_not_what_is_taken_care_of(self):
        self.keep()
        self.manager._handled.add(self.instance.uuid)
        self.manager.reconcile_migrations()
        self.assertEqual(0, len(self.threads))

    def test_again_after_an_error(self):
        self.keep()
        self.errors['bring_to_end'] = test.TestingException('no database')
        for _time in range(2):
            self.manager.reconcile_migrations()
            self.run_threads()
        self.assertEqual([self.instance.uuid], self.settled)

    def test_start_of_the_service(self):
        self.keep()
        self.does(UPSTREAM + 'post_start_hook')
        self.manager.post_start_hook()
        self.run_threads()
        self.assertEqual(['post_start_hook', 'bring_to_end'], self.done)

    def test_initialized_when_it_is_settled(self):
        self.keep()
        self.manager._init_instance(self.context, self.instance)
        self.assertEqual([], self.done)
        self.manager.reconcile_migrations()
        self.run_threads()
        self.assertEqual(['bring_to_end', '_init_instance'], self.done)
        self.manager.reconcile_migrations()
        self.run_threads()
        self.assertEqual(1, self.done.count('_init_instance'))

    def test_not_initialized_where_it_is_no_more(self):
        self.keep()
        self.manager._init_instance(self.context, self.instance)
        self.result = None
        self.manager.reconcile_migrations()
        self.run_threads()
        self.assertEqual(['bring_to_end'], self.done)

    def test_others_are_initialized_at_once(self):
        self.ours = False
        self.manager._init_instance(self.context, self.instance)
        self.assertEqual(['_init_instance'], self.done)

    def test_periodic_tasks(self):
        names = {name for name, _task in self.manager._periodic_tasks}
        self.assertLessEqual(
            {'_reconcile_migrations', '_give_up_dropped_requests',
             '_report_dead_sources',
             # and upstream's
             '_sync_power_states'}, names)


class TestArrival(ManagerTestCase):
    """A server that is on its way to this host."""

    def setUp(self):
        super().setUp()
        self.instance.host = 'other'
        self.replace('nova.objects.Instance.get_by_uuid',
                     lambda cls, context, uuid: self._get())
        # As pre_live_migration does.
        self.manager._pending_dest_live_migrations[self.instance.uuid] = (
            self.manager._record_task_start(
                'live_migration_at_dest', self.instance.uuid))
        self.error = None

    def _get(self):
        if self.error is not None:
            raise self.error
        return self.instance

    def waits_for(self):
        """Return what a nova-compute that stops would wait for."""
        self.manager._end_pending_arrivals(self.context)
        return len(self.manager._in_progress_tasks)

    def test_on_its_way(self):
        self.assertEqual(1, self.waits_for())
        # The destination is recorded before its last steps are done.
        self.instance.host = 'src'
        self.assertEqual(1, self.waits_for())

    def test_reset_on_its_way(self):
        self.instance.task_state = None
        self.assertEqual(1, self.waits_for())

    def test_lost(self):
        self.instance.host = 'src'
        self.instance.task_state = None
        self.assertEqual(0, self.waits_for())

    def test_deleted(self):
        self.error = nova_exception.InstanceNotFound(
            instance_id=self.instance.uuid)
        self.assertEqual(0, self.waits_for())


class TestDelete(ManagerTestCase):

    def setUp(self):
        super().setUp()
        self.does(UPSTREAM + 'terminate_instance')
        self.does(UPSTREAM + 'live_migration_abort')
        self.instance.task_state = self.task_state = task_states.DELETING

    def terminate(self):
        self.manager.terminate_instance(self.context, self.instance, [])

    def test_not_migrating(self):
        self.terminate()
        self.assertEqual(['terminate_instance'], self.done)

    def test_the_migration_ends_at_this_moment(self):
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.record.exists', lambda uuid: True))
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.Instance.refresh',
            lambda instance: setattr(instance, 'host', 'dest')))
        asked = []
        self.manager.compute_rpcapi.terminate_instance = (
            lambda context, instance, bdms: asked.append(instance.host))
        self.terminate()
        self.assertEqual((['dest'], []), (asked, self.done))

    def test_as_soon_as_the_migration_is_over(self):
        self.keep()
        self.terminate()
        self.assertEqual(['live_migration_abort'], self.done)
        self.assertTrue(record.load(self.instance.uuid).deleting)
        self.assertEqual(task_states.MIGRATING, self.task_state)

    def test_after_the_switch(self):
        self.keep()
        self.errors['live_migration_abort'] = (
            nova_exception.InvalidMigrationState(
                migration_id=7, instance_uuid=self.instance.uuid,
                state='running (post-copy)', method='abort'))
        self.terminate()
        self.assertTrue(record.load(self.instance.uuid).deleting)
        self.assertEqual(task_states.MIGRATING, self.task_state)
