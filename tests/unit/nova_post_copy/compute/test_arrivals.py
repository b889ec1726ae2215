# SPDX-License-Identifier: Apache-2.0

import fixtures
from nova import exception as nova_exception
from nova import objects
from nova import test
from nova.tests.unit import fake_instance

from nova_post_copy.compute import arrivals
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


class Manager(arrivals.Arrivals, Upstream):
    host = 'here'


class Driver:
    """libvirt of this host."""

    arrived = False
    directory = False

    def check_not_arrived(self, instance):
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
