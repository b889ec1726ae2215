# SPDX-License-Identifier: Apache-2.0

import pathlib

import fixtures
from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects
from nova import test
from nova.tests.unit import fake_instance

from nova_post_copy.compute import arrivals
from nova_post_copy.compute import prepared
from nova_post_copy.compute import record
from nova_post_copy import exception
from tests.unit.nova_post_copy.compute import records


class Upstream:
    """Notes what it was asked to do."""

    def __init__(self):
        self.done = []

    def check_can_live_migrate_source(self, ctxt, instance, dest_check_data):
        self.done.append('source')
        return 'data'

    def check_can_live_migrate_destination(self, ctxt, instance, *args):
        self.done.append('destination')
        return args[0]

    def pre_live_migration(self, context, instance, disk, migrate_data):
        self.done.append('prepare')
        return migrate_data

    def rollback_live_migration_at_destination(
            self, context, instance, destroy_disks, migrate_data):
        self.done.append('roll back')

    def remove_volume_connection(self, context, volume_id, instance,
                                 delete_attachment):
        self.done.append('disconnect')

    def post_live_migration_at_destination(self, context, instance,
                                           block_migration):
        self.done.append('arrived')

    def _do_rebuild_instance_with_claim(self, context, instance, *args):
        self.done.append('rebuild')

    def _live_migration_cleanup_flags(self, migrate_data, migr_ctxt):
        return True, True


class Manager(arrivals.Arrivals, Upstream):
    host = 'here'


class Driver:
    """libvirt of this host."""

    arrived = False
    directory = False
    answers = True

    def check_not_arrived(self, instance):
        if not self.answers:
            raise nova_exception.HypervisorUnavailable()
        if self.arrived:
            raise exception.PostCopyLiveCopy(
                instance_uuid=instance.uuid, found='running')

    def has_directory(self, instance):
        return self.directory


class ArrivalsTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.flags(state_path=self.useFixture(fixtures.TempDir()).path)
        self.manager = Manager()
        self.manager.driver = Driver()
        self.instance = fake_instance.fake_instance_obj(None, host='src')


class TestSource(ArrivalsTestCase):

    def check(self):
        return self.manager.check_can_live_migrate_source(
            None, self.instance, None)

    def test_no_other(self):
        self.assertEqual('data', self.check())

    def test_last_one_is_not_over(self):
        for outcome in (None, *record.Outcome):
            record.write(records.make(self.instance.uuid, outcome=outcome))
            error = self.assertRaises(
                nova_exception.MigrationPreCheckError, self.check)
            self.assertIn('has not finished', error.format_message())
        self.assertEqual([], self.manager.done)

    def test_lost(self):
        record.write(records.make(self.instance.uuid))
        record.set_aside(self.instance.uuid)
        self.assertEqual('data', self.check())


class TestDestination(ArrivalsTestCase):

    def check(self, shared=False):
        return self.manager.check_can_live_migrate_destination(
            None, self.instance, objects.LibvirtLiveMigrateData(
                is_shared_instance_path=shared))

    def test_last_one_has_begun_here(self):
        record.write(records.make(
            self.instance.uuid, outcome=record.Outcome.ARRIVED))
        self.assertRaises(nova_exception.MigrationPreCheckError, self.check)
        self.assertEqual([], self.manager.done)

    def test_free(self):
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.arrivals.live_migrations',
            lambda context, **filters: []))
        self.assertFalse(self.check().is_shared_instance_path)
        self.manager.pre_live_migration(None, self.instance, None, None)
        self.assertEqual(['destination', 'prepare'], self.manager.done)

    def test_a_copy_is_here(self):
        self.manager.driver.arrived = True
        for ask in (self.check, lambda: self.manager.pre_live_migration(
                None, self.instance, None, None)):
            error = self.assertRaises(
                nova_exception.MigrationPreCheckError, ask)
            self.assertIn('on that host already', error.format_message())
        self.assertEqual([], self.manager.done)

    def test_a_directory_is_here(self):
        self.manager.driver.directory = True
        error = self.assertRaises(
            nova_exception.MigrationPreCheckError, self.check)
        self.assertIn('Move the directory away', error.format_message())
        # The directory of the server itself.
        self.check(shared=True)

    def test_driver_of_another_kind(self):
        self.manager.driver = object()
        self.check()

    def roll_back(self):
        self.manager.rollback_live_migration_at_destination(
            None, self.instance, True, None)
        self.manager.remove_volume_connection(
            None, 'volume', self.instance)

    def test_roll_back(self):
        self.roll_back()
        self.assertEqual(['roll back', 'disconnect'], self.manager.done)

    def test_never_of_a_copy_that_is_here(self):
        self.manager.driver.arrived = True
        self.assertRaises(exception.PostCopyLiveCopy, self.roll_back)
        self.assertRaises(
            exception.PostCopyLiveCopy,
            self.manager.remove_volume_connection, None, 'volume',
            self.instance)
        self.assertEqual([], self.manager.done)

    def test_volume_of_a_server_that_is_recorded_here(self):
        self.manager.driver.arrived = True
        self.instance.host = 'here'
        self.manager.remove_volume_connection(None, 'volume', self.instance)
        self.assertEqual(['disconnect'], self.manager.done)


class TestPrepared(ArrivalsTestCase):
    """What was prepared here goes when the migration has failed."""

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        self.deleted = self.instance.deleted = False
        self.instance.migration_context = None
        self.migration = objects.Migration(
            id=7, instance_uuid=self.instance.uuid, status='preparing',
            post_copy=True)
        self.migrate_data = records.make().migrate_data
        self.migrate_data.migration = self.migration
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.Migration.get_by_id',
            lambda *args: self.migration))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.arrivals.live_migrations',
            lambda context, **filters: [self.migration]))
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.Instance.get_by_uuid',
            lambda cls, context, uuid, *args, **kwargs: self._instance(
                context)))

    def _instance(self, context):
        if self.instance is None or (
                self.deleted and context.read_deleted == 'no'):
            raise nova_exception.InstanceNotFound(instance_id='it')
        return self.instance

    def prepare(self):
        self.manager.pre_live_migration(
            self.context, self.instance, None, self.migrate_data)
        self.assert_noted(True)
        self.manager.done.clear()

    def assert_noted(self, noted):
        self.assertEqual(noted, bool(record.all_instances(record.PREPARED)))

    def sweep(self):
        prepared.remove_unneeded(self.manager)
        return self.manager.done

    def roll_back(self):
        self.manager.rollback_live_migration_at_destination(
            self.context, self.instance, True, self.migrate_data)

    def test_rolled_back(self):
        self.prepare()
        self.roll_back()
        self.assert_noted(False)

    def test_without_post_copy(self):
        self.migration.post_copy = None
        self.manager.pre_live_migration(
            self.context, self.instance, None, self.migrate_data)
        self.assert_noted(False)

    def test_arrived(self):
        self.prepare()
        self.manager.post_live_migration_at_destination(
            self.context, self.instance, True)
        self.assert_noted(False)

    def test_recorded_here(self):
        # As lost, or as given up when it had arrived: nobody calls.
        self.prepare()
        self.migration.status = 'error'
        self.instance.host = 'here'
        self.assertEqual([], self.sweep())
        self.assert_noted(False)

    def test_not_over(self):
        self.prepare()
        self.assertEqual([], self.sweep())
        self.assert_noted(True)

    def test_request_to_roll_back_is_lost(self):
        self.prepare()
        self.migration.status = 'error'
        self.assertEqual(['roll back'], self.sweep())
        self.assert_noted(False)
        self.assertEqual(['roll back'], self.sweep())

    def test_libvirt_is_away(self):
        # Also without post_copy: upstream would have removed what it could.
        self.migration.post_copy = None
        self.manager.driver.answers = False
        self.assertRaises(
            nova_exception.HypervisorUnavailable, self.roll_back)
        self.migration.status = 'error'
        self.assertEqual([], self.sweep())
        self.manager.driver.answers = True
        self.assertEqual(['roll back'], self.sweep())
        self.assert_noted(False)

    def test_guest_is_here(self):
        self.prepare()
        self.migration.status = 'error'
        self.manager.driver.arrived = True
        self.assertEqual([], self.sweep())
        self.assert_noted(True)

    def test_something_else_happens_to_the_server(self):
        self.prepare()
        self.migration.status = 'error'
        self.instance.task_state = 'migrating'
        self.assertEqual([], self.sweep())

    def test_deleted(self):
        self.prepare()
        self.migration.status = 'error'
        self.deleted = self.instance.deleted = True
        self.assertEqual(['roll back'], self.sweep())

    def test_purged(self):
        self.prepare()
        self.instance = None
        self.assertEqual([], self.sweep())
        self.assert_noted(False)

    def test_evacuated_to_here(self):
        # Upstream would start it from a disk that was copied in part.
        self.prepare()
        self.migration.status = 'error'
        self.instance.task_state = 'rebuilding'
        self.manager._do_rebuild_instance_with_claim(
            self.context, self.instance)
        self.assertEqual(['roll back', 'rebuild'], self.manager.done)

    def test_evacuated_and_libvirt_is_away(self):
        self.prepare()
        self.migration.status = 'error'
        self.manager.driver.answers = False
        self.assertRaises(
            nova_exception.HypervisorUnavailable,
            self.manager._do_rebuild_instance_with_claim, self.context,
            self.instance)
        self.assertEqual([], self.manager.done)

    def test_next_one(self):
        self.prepare()
        self.migration.status = 'error'
        self.manager.check_can_live_migrate_destination(
            self.context, self.instance, self.migrate_data)
        self.assertEqual(['roll back', 'destination'], self.manager.done)
        self.assert_noted(False)

    def test_given_up_before(self):
        self.migration.status = 'error'
        self.assertRaises(
            nova_exception.MigrationPreCheckError,
            self.manager.pre_live_migration, self.context, self.instance,
            None, self.migrate_data)
        self.assertEqual([], self.manager.done)
        self.assert_noted(False)

    def test_damaged(self):
        self.prepare()
        (path,) = pathlib.Path(
            record.CONF.state_path, record.PREPARED).iterdir()
        path.write_text('{')
        self.assertEqual([], self.sweep())
        self.assert_noted(False)
