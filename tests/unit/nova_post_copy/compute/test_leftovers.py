# SPDX-License-Identifier: Apache-2.0

import fixtures
from nova.compute import task_states
from nova import exception
from nova import objects
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import leftovers
from nova_post_copy.compute import record
from nova_post_copy.decisions.condition import Condition
from tests.unit.nova_post_copy.compute import base


class TestLeftovers(base.ReconcileTestCase):

    def setUp(self):
        super().setUp()
        self.there = Condition.RUNNING
        self.asked = []
        self.meanwhile = lambda: None
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.rpcapi.PostCopyComputeAPI', lambda: self))
        self.driver.condition = Condition.BROKEN
        self.change(host='dest', task_state=None)
        self.keep()
        record.set_aside(self.instance.uuid)

    def guest_condition(self, context, host, instance):
        self.asked.append((host, instance.uuid))
        self.meanwhile()
        return self.there

    def look(self):
        leftovers.remove_unneeded(self.manager)
        return self.outside.done

    def assert_kept(self):
        self.assertEqual([], self.look())
        self.assertEqual([self.instance.uuid],
                         record.all_instances(record.LOST))

    def assert_forgotten(self):
        self.assertEqual([], self.look())
        self.assertEqual([], record.all_instances(record.LOST))

    def test_server_was_started_anew(self):
        for found in (Condition.BROKEN, Condition.SHUTOFF,
                      Condition.MIGRATED, Condition.ABSENT):
            self.outside.done.clear()
            self.keep()
            record.set_aside(self.instance.uuid)
            self.driver.condition = found
            # Never its disk.
            self.assertEqual(
                [('remove', self.instance.uuid, False),
                 ('delete attachment', uuids.source_attachment)],
                self.look())
            self.assertEqual([], record.all_instances(record.LOST))
        self.assertEqual([('dest', self.instance.uuid)] * 4, self.asked)

    def test_server_is_not_started(self):
        for there in set(Condition) - {Condition.RUNNING} | {None}:
            self.there = there
            self.assert_kept()

    def test_somebody_works_on_it(self):
        # It may be on its way back.
        self.change(task_state=task_states.MIGRATING)
        self.assert_kept()

    def test_somebody_begins_to_work_on_it(self):
        self.meanwhile = lambda: self.change(
            task_state=task_states.MIGRATING)
        self.assert_kept()

    def test_not_what_was_left(self):
        for found in (Condition.RUNNING, Condition.PAUSED,
                      Condition.POST_COPY, Condition.UNKNOWN):
            self.driver.condition = found
            self.assert_kept()

    def test_server_is_back(self):
        self.change(host='src')
        self.assert_forgotten()

    def test_server_was_deleted(self):
        self.instance.destroy()
        # Its disk, too, and what Cinder would take for attached for ever.
        self.assertEqual(
            {('remove', self.instance.uuid, True),
             ('delete attachment', uuids.source_attachment)},
            set(self.look()))
        self.assertEqual([], record.all_instances(record.LOST))

    def test_server_was_deleted_with_its_disk_in_ceph(self):
        # Open here, it could not be removed by the other host. But a directory
        # that the hosts share may be that of a guest which runs there.
        self.instance.destroy()
        for shared in (False, True):
            self.keep(migrate_data=objects.LibvirtLiveMigrateData(
                is_shared_block_storage=True, is_shared_instance_path=shared,
                block_migration=False))
            record.set_aside(self.instance.uuid)
            self.outside.done.clear()
            self.assertIn(('remove', self.instance.uuid, not shared),
                          self.look())

    def test_server_was_deleted_and_cinder_fails(self):
        self.instance.destroy()
        self.outside.error = 'delete attachment'
        self.look()
        self.assertEqual([self.instance.uuid],
                         record.all_instances(record.LOST))

    def test_rows_were_archived(self):
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.Instance.get_by_uuid', self._raise_not_found))
        self.assert_forgotten()

    def _raise_not_found(self, *args, **kwargs):
        raise exception.InstanceNotFound(instance_id=self.instance.uuid)

    def test_damaged(self):
        path = '%s/post_copy_lost/%s.json' % (
            record.CONF.state_path, self.instance.uuid)
        with open(path, 'w') as stream:
            stream.write('{')
        self.assert_forgotten()

    def test_failure(self):
        self.outside.error = 'remove'
        self.assert_kept()
        self.outside.error = None
        self.assertEqual(2, len(self.look()))

    def test_database_is_away(self):
        self.useFixture(fixtures.MockPatch(
            'nova.objects.Instance.get_by_uuid',
            side_effect=test.TestingException))
        self.assert_kept()
