# SPDX-License-Identifier: Apache-2.0

import collections

import fixtures
import futurist
from nova.compute import task_states
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects
from nova import test
from nova.tests.unit import fake_instance
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import manager
from nova_post_copy.compute import record
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
                self.task_state not in expected_task_state):
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
        self.does(COMPUTE + 'dropped_requests.ignore')
        self.does(COMPUTE + 'dropped_requests.forget')
        self.does(UPSTREAM + 'live_migration', self._upstreams)
        #: the server as it is in the database when the request arrives
        self.fresh = self.instance.obj_clone()
        self.fresh.vm_state = vm_states.ACTIVE
        self.replace('nova.objects.Instance.get_by_uuid',
                     lambda cls, *args, **kwargs: self._read())
        self.other = None
        self.replace(COMPUTE + 'arriving_requests.other_unfinished',
                     lambda *args, **kwargs: self.other)
        self.bdms = records.make().source_bdms
        self.replace('nova.objects.BlockDeviceMappingList.'
                     'get_by_instance_uuid', lambda *args: self.bdms)
        self.replace(
            'nova_post_copy.compute.rpcapi.PostCopyComputeAPI.'
            'recovery_address', lambda api, context, host: '192.0.2.9')
        self.replace(
            'nova_post_copy.compute.rpcapi.PostCopyComputeAPI.'
            'resume_refusal', lambda api, context, host: 'it crashes')

    def _read(self):
        if self.fresh is None:
            raise nova_exception.InstanceNotFound(
                instance_id=self.instance.uuid)
        return self.fresh

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
             '192.0.2.9', 'it crashes', False, None),
            (self.kept.migration_id, self.kept.dest,
             self.kept.block_migration, self.kept.request_id,
             self.kept.user_id, self.kept.project_id,
             self.kept.recovery_addr, self.kept.resume_refusal,
             self.kept.started, self.kept.delete_type))
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
        self.assertEqual(['ignore'], self.done)
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
        self.assertEqual(['ignore'], self.done)
        self.assert_kept(False)

    def test_not_given_up_when_it_has_arrived(self):
        self.live_migration()
        self.assertFalse(self._find_lost())
        # Nor when a former process had accepted it.
        self.manager._handled.clear()
        self.assertFalse(self._find_lost())

    def test_last_one_is_not_over(self):
        self.keep(migration_id=6)
        self.does(COMPUTE + 'dropped_requests.refuse')
        self.live_migration()
        self.assertEqual(['refuse'], self.done)
        self.assertEqual(6, record.load(self.instance.uuid).migration_id)

    def assert_refused(self, *words):
        refused = []
        self.does(COMPUTE + 'dropped_requests.refuse',
                  lambda *args: refused.append(args[2:]))
        self.done.clear()
        self.live_migration()
        self.assertEqual(['refuse'], self.done)
        ((instance, migration, reason),) = refused
        # Not as it was when the request was made.
        self.assertIs(self.fresh, instance)
        self.assertIs(self.migration, migration)
        for word in words:
            self.assertIn(word, reason)
        self.assertEqual(set(), self.manager._handled)
        self.assert_kept(False)

    def test_upstreams_is_not_over(self):
        self.other = objects.Migration(id=6, status='running')
        self.assert_refused('ive migration 6', '"running"')

    def test_evacuated_meanwhile(self):
        self.fresh.host = 'third'
        for task_state in (None, task_states.MIGRATING,
                           task_states.REBUILDING):
            self.fresh.task_state = task_state
            self.assert_refused('is on third')

    def test_changed_meanwhile(self):
        for vm_state, task_state in (
                (vm_states.ACTIVE, task_states.REBUILDING),
                (vm_states.ERROR, task_states.REBUILD_SPAWNING),
                (vm_states.ACTIVE, task_states.SOFT_DELETING),
                (vm_states.ACTIVE, task_states.DELETING),
                (vm_states.SOFT_DELETED, None),
                (vm_states.SOFT_DELETED, task_states.MIGRATING),
                (vm_states.STOPPED, task_states.MIGRATING),
                (vm_states.RESIZED, None), (vm_states.SHELVED, None)):
            self.fresh.vm_state = vm_state
            self.fresh.task_state = task_state
            self.assert_refused('"%s"' % vm_state, '"%s"' % task_state)

    def test_states_were_reset_meanwhile(self):
        for vm_state in (vm_states.ACTIVE, vm_states.ERROR,
                         vm_states.PAUSED):
            for task_state in (None, task_states.MIGRATING):
                self.fresh.vm_state = vm_state
                self.fresh.task_state = task_state
                self.done.clear()
                self.live_migration()
                self.assertEqual(['live_migration'], self.done)
                record.remove(self.instance.uuid)

    def test_deleted_meanwhile(self):
        self.fresh = None
        self.live_migration()
        self.assertEqual(['forget'], self.done)
        self.assert_kept(False)

    def test_error_is_settled_later(self):
        self.errors['live_migration'] = test.TestingException()
        self.assertRaises(test.TestingException, self.live_migration)
        self.assertEqual(set(), self.manager._handled)
        self.assert_kept(True)

    def test_disk_is_full(self):
        self.replace('nova_post_copy.compute.record.write', self._full)
        reasons = []
        self.does(COMPUTE + 'dropped_requests.refuse',
                  lambda *args: reasons.append(args[-1]))
        self.live_migration()
        self.assertEqual(['refuse'], self.done)
        self.assertIn('No space left on device', reasons.pop())
        self.assertEqual(set(), self.manager._handled)
        self.assert_kept(False)

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
                     '_post_live_migration_update_host',
                     '_remove_remote_volume_connections'):
            self.does(UPSTREAM + name)
        self.does(COMPUTE + 'lost.move_lost')
        self.does(COMPUTE + 'states.put_back_here')
        self.does(COMPUTE + 'bindings.activate')
        self.replace('nova.objects.BlockDeviceMappingList.'
                     'get_by_instance_uuid', lambda *args: records.none())
        self.closed = []
        self.replace(COMPUTE + 'closing.close', self._close)
        self.keep()

    def _close(self, manager, context, uuid, outcome):
        self.closed.append(outcome)
        if 'close' in self.errors:
            raise self.errors.pop('close')

    def post(self, **kwargs):
        self.manager._post_live_migration_update_host(
            self.context, self.instance, 'dest', True, self.migrate_data,
            source_bdms=records.none(), **kwargs)

    def roll_back(self, status='error', **kwargs):
        self.manager._rollback_live_migration(
            self.context, self.instance, 'dest', self.migrate_data, status,
            records.none(), **kwargs)

    def test_completed(self):
        self.post()
        self.assertEqual(['put_back_here', '_post_live_migration'], self.done)
        self.assertEqual(['arrived'], self.closed)

    def test_failed_step_is_repeated_later(self):
        # Upstream would record the host, and leave the rest undone.
        self.errors['_post_live_migration'] = test.TestingException()
        self.assertRaises(test.TestingException, self.post)
        self.assertEqual([], self.closed)
        self.assert_kept(True)

    def test_states_cannot_be_put_back(self):
        self.errors['put_back_here'] = test.TestingException()
        self.assertRaises(test.TestingException, self.post)
        self.assertEqual([], self.done)

    def test_nobody_puts_states_back_meanwhile(self):
        seen = []

        def upstreams(*args, **kwargs):
            with self.manager.ending.excluded(self.instance.uuid) as nobody:
                seen.append(nobody)

        self.replace(UPSTREAM + '_post_live_migration', upstreams)
        self.post()
        with self.manager.ending.excluded(self.instance.uuid) as nobody:
            self.assertEqual(([False], True), (seen, nobody))

    def test_lost(self):
        self.post(lost=exception.PostCopyLost(
            host='src', dest='dest', reason='why'))
        self.assertEqual(['put_back_here', 'move_lost'], self.done)
        self.assertEqual(['lost'], self.closed)

    def test_lost_is_repeated_later(self):
        self.errors['move_lost'] = test.TestingException()
        self.assertRaises(
            test.TestingException, self.post, lost=exception.PostCopyLost(
                host='src', dest='dest', reason='why'))
        self.assertEqual([], self.closed)

    def test_others_are_upstreams(self):
        self.migrate_data.migration = objects.Migration(id=7)
        self.post()
        self.roll_back()
        self.assertEqual(['_post_live_migration_update_host',
                          '_rollback_live_migration'], self.done)
        self.assertEqual([], self.closed)

    def test_rolled_back(self):
        self.roll_back()
        # Before upstream deletes the destination's bindings.
        self.assertEqual(['put_back_here', 'activate',
                          '_rollback_live_migration'], self.done)
        self.assertEqual(['rolled back'], self.closed)

    def test_rolled_back_before_it_had_begun(self):
        self.roll_back(pre_live_migration=True)
        self.assertEqual(
            ['put_back_here', 'activate', '_remove_remote_volume_connections',
             '_rollback_live_migration'], self.done)

    def test_service_that_fails_does_not_end_it_otherwise(self):
        # The reason of the rollback has still to be told.
        self.errors['close'] = test.TestingException()
        self.roll_back()
        self.assertEqual(['rolled back'], self.closed)
        self.assert_kept(True)

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
        self.assertEqual([], self.closed)


class TestVolumes(ManagerTestCase):
    """Which connections upstream may touch at the end."""

    def setUp(self):
        super().setUp()
        self.touched = []
        for name, index in (
                ('_remove_remote_volume_connections', 3),
                ('_rollback_volume_bdms', 2),
                ('_post_live_migration_remove_source_vol_connections', 3)):
            self.replace(UPSTREAM + name, self._note(index))
        self.released = []
        self.replace(COMPUTE + 'attachments.release_source',
                     lambda *args: self.released.append(args[3]))
        self.replace(COMPUTE + 'attachments.restore',
                     lambda *args: self.touched.append('restored'))
        self.source = records.make().source_bdms
        self.dest = records.make().source_bdms
        self.dest[0].attachment_id = uuids.dest_attachment

    def _note(self, index):
        return lambda *args: self.touched.append(
            [bdm.attachment_id for bdm in args[index]])

    def roll_back(self, bdms):
        self.touched.clear()
        self.manager._remove_remote_volume_connections(
            self.context, 'dest', bdms, self.instance)
        self.manager._rollback_volume_bdms(
            self.context, bdms, self.source, self.instance)
        return self.touched

    def test_destination_has_prepared_them(self):
        self.keep(source_bdms=self.source)
        # Not as upstream, which does neither until it is done.
        self.assertEqual([[], 'restored'], self.roll_back(self.dest))

    def test_legacy(self):
        self.dest[0].attachment_id = None
        self.dest[0].connection_info = '{"of": "dest"}'
        self.source[0].attachment_id = None
        self.keep(source_bdms=self.source)
        self.assertEqual([[None], 'restored'], self.roll_back(self.dest))

    def test_destination_has_not_prepared_them(self):
        # There the LUN number is another server's volume.
        self.keep(source_bdms=self.source)
        self.assertEqual([[], 'restored'], self.roll_back(self.source))

    def test_not_known(self):
        self.keep(source_bdms=records.none())
        self.assertEqual([[], 'restored'], self.roll_back(self.dest))

    def test_record_cannot_be_read(self):
        self.keep(source_bdms=self.source)
        self.useFixture(fixtures.MockPatch(
            'builtins.open', side_effect=PermissionError))
        self.assertRaises(record.Unreadable, self.roll_back, self.dest)

    def test_others_are_upstreams(self):
        self.assertEqual([[uuids.source_attachment]] * 2,
                         self.roll_back(self.source))

    def complete(self):
        self.manager._post_live_migration_remove_source_vol_connections(
            self.context, self.instance, self.source)
        return self.touched

    def test_source(self):
        self.keep(source_bdms=self.source)
        # Not as upstream, which does not repeat it.
        self.assertEqual([[]], self.complete())
        self.assertEqual(1, len(self.released))
        self.assertTrue(record.load(self.instance.uuid).released)

    def test_source_of_others(self):
        self.assertEqual([[uuids.source_attachment]], self.complete())
        self.assertEqual([], self.released)

    def test_cinder_fails(self):
        self.keep(source_bdms=self.source)
        self.replace(COMPUTE + 'attachments.release_source', self._fail)
        self.complete()
        self.assertFalse(record.load(self.instance.uuid).released)

    def _fail(self, *args):
        raise test.TestingException('Cinder')


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
        for name in ('terminate_instance', 'soft_delete_instance',
                     'live_migration_abort'):
            self.does(UPSTREAM + name)
        self.task_state = task_states.DELETING
        self.replace(COMPUTE + 'rebuilding.kept', self._kept)
        self.replace('nova.objects.BlockDeviceMappingList.'
                     'get_by_instance_uuid', lambda *args: records.none())
        self.replace('nova.objects.Instance.get_by_uuid',
                     lambda cls, *args, **kwargs: self.fresh)
        self.fresh = fake_instance.fake_instance_obj(
            self.context, uuid=self.instance.uuid, host='src')
        self.replace('nova.objects.Instance.refresh',
                     lambda instance: setattr(
                         instance, 'host', self.fresh.host))
        self.replace(COMPUTE + 'deletes.live_migrations',
                     lambda *args, **kwargs: [self.migration])
        self.replace('nova.objects.Migration.get_by_id',
                     lambda cls, *args: self.migration)
        self.asked = []
        for name in ('terminate_instance', 'soft_delete_instance'):
            setattr(self.manager.compute_rpcapi, name, self._ask(name))
        self.migration.status = 'running'

    def _kept(self, context, host, instance):
        return record.load(instance.uuid)

    def _ask(self, name):
        return lambda context, instance, *args: self.asked.append(
            (name, instance.host))

    def terminate(self):
        self.instance.task_state = self.task_state = task_states.DELETING
        self.manager.terminate_instance(self.context, self.instance, [])

    def soft_delete(self):
        self.instance.task_state = self.task_state = (
            task_states.SOFT_DELETING)
        self.manager.soft_delete_instance(self.context, self.instance)

    def test_not_migrating(self):
        self.terminate()
        self.soft_delete()
        self.assertEqual(['terminate_instance', 'soft_delete_instance'],
                         self.done)
        self.assertEqual([], self.asked)

    def test_the_migration_ends_at_this_moment(self):
        self.keep()
        self.fresh.host = 'dest'
        # Closed before the delete is written into it.
        self.errors['update'] = FileNotFoundError()
        self.does(COMPUTE + 'record.update')
        self.terminate()
        self.assertEqual([('terminate_instance', 'dest')], self.asked)
        self.assertEqual([], self.done)

    def test_it_has_moved_since_it_was_asked_for(self):
        self.fresh.host = 'dest'
        self.terminate()
        self.soft_delete()
        self.assertEqual([('terminate_instance', 'dest'),
                          ('soft_delete_instance', 'dest')], self.asked)
        self.assertEqual([], self.done)

    def test_moved_by_others_is_upstreams(self):
        self.fresh.host = 'dest'
        self.migration.post_copy = False
        self.terminate()
        self.assertEqual((['terminate_instance'], []),
                         (self.done, self.asked))

    def test_as_soon_as_the_migration_is_over(self):
        for delete, delete_type in ((self.terminate, 'delete'),
                                    (self.soft_delete, 'soft_delete')):
            self.done.clear()
            self.keep()
            delete()
            self.assertEqual(['live_migration_abort'], self.done)
            self.assertEqual(
                delete_type, record.load(self.instance.uuid).delete_type)
            self.assertEqual(task_states.MIGRATING, self.task_state)

    def test_after_the_switch(self):
        for status in ('running (post-copy)', 'interrupted (post-copy)'):
            self.keep()
            self.migration.status = status
            self.terminate()
            # An abort that is refused would be a fault of the server.
            self.assertEqual([], self.done)
            self.assertEqual(
                'delete', record.load(self.instance.uuid).delete_type)
            self.assertEqual(task_states.MIGRATING, self.task_state)

    def test_only_cinder_has_not_agreed(self):
        self.keep(outcome='rolled back')
        self.terminate()
        self.assertEqual(['terminate_instance'], self.done)

    def test_record_cannot_be_read(self):
        self.keep()
        self.replace(COMPUTE + 'rebuilding.kept', self._unreadable)
        for _time in range(31):
            self.terminate()
        # It stays in this task state, and is not cast to anybody.
        self.assertEqual(([], []), (self.done, self.asked))
        self.assertEqual(task_states.DELETING, self.task_state)

    def _unreadable(self, *args):
        raise record.Unreadable('EIO')
