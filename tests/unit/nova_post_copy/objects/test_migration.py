# SPDX-License-Identifier: Apache-2.0

from unittest import mock

from nova import context as nova_context
from nova import objects
from nova.objects import base
from nova.objects import migration as upstream
from nova import test
from nova.tests.unit.objects import test_migration as upstream_test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.objects import migration


def _without_us():
    """The registry of a peer that does not have nova-post-copy."""
    return mock.patch.dict(
        base.NovaObjectRegistry.obj_classes(),
        {'Migration': [upstream.Migration]})


def _send(obj):
    """Over the wire to a peer that does not have nova-post-copy."""
    context = nova_context.get_admin_context()
    serializer = base.NovaObjectSerializer()
    primitive = serializer.serialize_entity(context, obj)
    with _without_us():
        return serializer.deserialize_entity(context, primitive)


class TestMigration(test.TestCase):

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()

    def _create(self, status='accepted', **kwargs):
        obj = objects.Migration(
            self.context, instance_uuid=uuids.instance, status=status,
            source_compute='host-a', migration_type='live-migration',
            **kwargs)
        obj.create()
        return obj

    def test_is_the_newest_in_the_registry(self):
        self.assertIs(migration.Migration, objects.Migration)
        self.assertEqual(upstream.Migration.VERSION + '.1',
                         objects.Migration.VERSION)
        # Peers that ask for upstream's version get upstream's class.
        self.assertIs(
            upstream.Migration,
            base.NovaObject.obj_class_from_name(
                'Migration', upstream.Migration.VERSION))

    def test_value_is_kept(self):
        for value in (True, False):
            read = objects.Migration.get_by_id(
                self.context, self._create(post_copy=value).id)
            self.assertIs(value, read.post_copy)
            self.assertIs(value, migration.requested(read))

    def test_save(self):
        obj = self._create()
        obj.post_copy = False
        obj.save()
        self.assertIs(False, obj.post_copy)
        read = objects.Migration.get_by_uuid(self.context, obj.uuid)
        self.assertIs(False, read.post_copy)

    def test_null_stays_unset(self):
        obj = self._create()
        self.assertNotIn('post_copy', obj)
        obj.status = 'running'
        obj.save()
        read = objects.Migration.get_by_id(self.context, obj.id)
        self.assertNotIn('post_copy', read)
        self.assertIsNone(migration.requested(read))
        self.assertEqual(set(), read.obj_what_changed())

    def test_null_stays_unset_when_a_uuid_is_made(self):
        row = dict(upstream_test.fake_db_migration(), uuid=None)
        with mock.patch('nova.db.main.api.migration_update',
                        return_value=dict(row, uuid=uuids.migration)):
            read = objects.Migration._from_db_object(
                self.context, objects.Migration(), row)
        self.assertNotIn('post_copy', read)

    def test_row_without_the_key(self):
        read = objects.Migration._from_db_object(
            self.context, objects.Migration(),
            upstream_test.fake_db_migration())
        self.assertNotIn('post_copy', read)

    def test_list(self):
        self._create(post_copy=True)
        found = objects.MigrationList.get_by_filters(self.context, {})
        self.assertEqual([True], [migration.requested(m) for m in found])

    def test_unextended_peer_takes_it_for_upstreams(self):
        # Fails if a backport is asked for: there is no indirection API.
        received = _send(self._create(post_copy=True))
        self.assertIs(upstream.Migration, type(received))
        self.assertEqual('host-a', received.source_compute)
        self.assertNotIn('post_copy', received)
        self.assertIsNone(migration.requested(received))

    def test_unextended_peer_asks_for_a_list_again(self):
        self._create(post_copy=True)
        found = objects.MigrationList.get_by_filters(self.context, {})

        def backport(api, context, primitive, versions):
            # What a conductor does that has nova-post-copy.
            return base.NovaObject.obj_from_primitive(
                found.obj_to_primitive(
                    target_version=versions['MigrationList'],
                    version_manifest=versions))

        with mock.patch('nova.conductor.api.API.object_backport_versions',
                        backport):
            received = _send(found)
        self.assertEqual([upstream.Migration], [type(m) for m in received])

    def test_made_compatible_with_upstreams_version(self):
        obj = self._create(post_copy=True)
        primitive = obj.obj_to_primitive(
            target_version=upstream.Migration.VERSION)
        self.assertNotIn('post_copy', primitive['nova_object.data'])
        primitive = obj.obj_to_primitive()
        self.assertIs(True, primitive['nova_object.data']['post_copy'])

    def test_object_of_an_unextended_peer(self):
        self.assertIsNone(migration.requested(upstream.Migration()))

    def test_live_migrations_to_a_host(self):
        # Upstream's query ignores it, and gives those to all hosts.
        to_b = self._create(dest_compute='host-b')
        self._create(dest_compute='host-c')
        self._create()
        self.assertEqual([to_b.id], [
            found.id for found in migration.live_migrations(
                self.context, dest_compute='host-b')])
        self.assertEqual(3, len(migration.live_migrations(self.context)))

    def test_between_hosts(self):
        def found(status, **more):
            obj = self._create(status, **more)
            between = migration.between_hosts(self.context, uuids.instance)
            obj.status = 'error'
            obj.save()
            return between is not None

        for status in ('running', 'running (post-copy)',
                       'interrupted (post-copy)', 'post-migrating'):
            self.assertTrue(found(status, post_copy=True), status)
            self.assertFalse(found(status, post_copy=False), status)
            self.assertFalse(found(status), status)
        for status in ('accepted', 'queued', 'preparing', 'completed',
                       'cancelled', 'error', 'failed'):
            self.assertFalse(found(status, post_copy=True), status)

    def test_other_unfinished(self):
        def other(source='host-a', besides=None):
            found = migration.other_unfinished(
                self.context, uuids.instance, source, besides)
            return found and found.id

        self.assertIsNone(other())
        # The last one was taken by an evacuation for its own.
        for status in (*migration.FINAL, 'done'):
            self._create(status)
        self.assertIsNone(other())
        ours = self._create('accepted', post_copy=True).id
        self.assertIsNone(other(besides=ours))
        # Whoever asked for it, and whatever the phase is.
        for asked in ({}, {'post_copy': False}, {'post_copy': True}):
            for status in set(migration.Status) - set(migration.FINAL):
                row = self._create(status, **asked)
                self.assertEqual(row.id, other(besides=ours))
                # The server has left that host since.
                self.assertIsNone(other('host-b'))
                row.status = 'failed'
                row.save()

    def test_unfinished_before_it_moved_is_history(self):
        # A nova-compute was killed in the middle; the server came back since.
        self._create('running')
        self._create('error')
        self.assertIsNotNone(migration.other_unfinished(
            self.context, uuids.instance, 'host-a'))
        self._create('completed')
        self.assertIsNone(migration.other_unfinished(
            self.context, uuids.instance, 'host-a'))
