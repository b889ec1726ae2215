# SPDX-License-Identifier: Apache-2.0

from oslo_utils.fixture import uuidsentinel as uuids

from nova.compute import task_states

from nova_post_copy.objects import migration as migration_obj
from tests.unit.nova_post_copy.api import base


class TestServerMigrations(base.ApiTestCase):

    def setUp(self):
        super().setUp()
        self.path = '/servers/%s/migrations' % self.instance.uuid

    def _index(self, **kwargs):
        status, body = self.rest('GET', self.path, **kwargs)
        self.assertEqual(200, status)
        return body['migrations']

    def _show(self, migration, **kwargs):
        status, body = self.rest(
            'GET', '%s/%s' % (self.path, migration.id), **kwargs)
        return status, body.get('migration')

    def test_what_was_asked(self):
        for asked in ({'post_copy': True}, {'post_copy': False}, {}):
            migration = self.create_migration(**asked)
            expected = asked.get('post_copy')
            (listed,) = self._index()
            self.assertIs(expected, listed['post_copy'])
            self.assertEqual((200, listed), self._show(migration))
            migration.status = 'completed'
            migration.save()

    def test_nothing_of_it_below(self):
        migration = self.create_migration(post_copy=True)
        # Upstream's schema of the response insists on some progress.
        self.flags(response_validation='ignore', group='api')
        for version in ('2.23', '2.59', '2.80', '2.102', base.BELOW):
            (listed,) = self._index(version=version)
            for name in ('post_copy', 'phase', 'progress'):
                self.assertNotIn(name, listed)
            self.assertEqual(
                (200, listed), self._show(migration, version=version))
        ours = self._index()[0]
        self.assertEqual({**listed, 'post_copy': True, 'phase': 'preparing',
                          'progress': 0}, ours)

    def test_each_status(self):
        for status in migration_obj.IN_PROGRESS:
            migration = self.create_migration(status, post_copy=True)
            self.assertEqual([status], [m['status'] for m in self._index()])
            self.assertEqual(200, self._show(migration)[0])
            migration.status = 'completed'
            migration.save()
            self.assertEqual([], self._index())
            self.assertEqual(404, self._show(migration)[0])

    def test_where_it_is(self):
        self.instance.progress = 40
        self.instance.save()
        migration = self.create_migration(post_copy=True)
        for memory, disk, status, expected in (
            (0, 0, 'queued', ('queued', 0)),
            (0, 0, 'running', ('preparing', 0)),
            (0, 9, 'running', ('disk', 40)),
            (9, 9, 'running', ('pre-copy', 40)),
            (9, 9, 'running (post-copy)', ('post-copy', 40)),
            (9, 9, 'interrupted (post-copy)', ('interrupted', 40)),
        ):
            migration.status = status
            migration.memory_total = migration.memory_remaining = memory
            migration.disk_total = migration.disk_remaining = disk
            migration.save()
            (listed,) = self._index()
            self.assertEqual(
                expected, (listed['phase'], listed['progress']))
            self.assertEqual((200, listed), self._show(migration))

    def test_does_not_go_back_when_the_destination_takes_over(self):
        self.create_migration('running (post-copy)', post_copy=True)
        self.instance.progress = 99
        self.instance.save()
        self.assertEqual(99, self._index()[0]['progress'])
        # As upstream's post_live_migration_at_destination.
        self.instance.host = 'host-b'
        self.instance.progress = 0
        self.instance.save()
        (listed,) = self._index()
        self.assertEqual(('finishing', 100),
                         (listed['phase'], listed['progress']))

    def test_post_copy_out_of_sight_below(self):
        for status in migration_obj.SWITCHED:
            migration = self.create_migration(status)
            self.assertEqual([], self._index(version=base.BELOW))
            self.assertEqual(
                404, self._show(migration, version=base.BELOW)[0])

    def test_other_migrations_are_not_listed(self):
        resize = self.create_migration('running', 'resize')
        self.assertEqual([], self._index())
        self.assertEqual(404, self._show(resize)[0])

    def test_another_server(self):
        migration = self.create_migration()
        migration.instance_uuid = uuids.another
        migration.save()
        self.assertEqual([], self._index())
        self.assertEqual(404, self._show(migration)[0])

    def test_policies(self):
        self.create_migration(post_copy=True)
        self.policy.set_rules({
            'os_compute_api:servers:migrations:index': '!',
            'os_compute_api:servers:migrations:show': '!',
        }, overwrite=False)
        self.assertEqual(403, self.rest('GET', self.path)[0])
        self.assertEqual(403, self.rest('GET', self.path + '/1')[0])

    def test_hosts_are_for_those_who_may_see_them(self):
        self.create_migration()
        self.assertEqual('host-b', self._index()[0]['dest_compute'])
        self.policy.set_rules({
            'os_compute_api:servers:migrations:index:host': '!'},
            overwrite=False)
        self.assertIsNone(self._index()[0]['dest_compute'])

    def _refusal(self, migration, version=base.VERSION):
        """Abort, and force to complete; return each status and message."""
        path = '%s/%s' % (self.path, migration.id)
        for answer in (
            self.rest('DELETE', path, version=version),
            self.rest('POST', path + '/action', {'force_complete': None},
                      version=version),
        ):
            status, body = answer
            (error,) = body.values()
            yield status, error['message']

    def _migrating(self, status):
        self.instance.task_state = task_states.MIGRATING
        self.instance.save()
        return self.create_migration(status, post_copy=True)

    def test_too_late_after_the_switch(self):
        for after, memory in (
            ('running (post-copy)', 'still being copied from the source'),
            ('interrupted (post-copy)', 'Post-copy resumes when'),
        ):
            migration = self._migrating(after)
            abort, force = self._refusal(migration)
            self.assertEqual((409, 409), (abort[0], force[0]))
            for _status, message in (abort, force):
                self.assertIn('already running on the destination', message)
                self.assertIn(memory, message)
                self.assertIn(self.instance.uuid, message)
            self.assertIn('no longer be aborted', abort[1])
            self.assertIn('nothing left to force', force[1])

    def test_too_late_after_the_switch_below(self):
        for after in migration_obj.SWITCHED:
            migration = self._migrating(after)
            for status, message in self._refusal(migration,
                                                 version=base.BELOW):
                self.assertEqual(400, status)
                self.assertIn('is %s. Cannot' % after, message)

    def test_wrong_state_as_upstream(self):
        migration = self._migrating('completed')
        self.assertEqual(list(self._refusal(migration, version=base.BELOW)),
                         list(self._refusal(migration)))

    def test_no_such_migration_as_upstream(self):
        migration = self._migrating('running')
        migration.instance_uuid = uuids.another
        migration.save()
        below = list(self._refusal(migration, version=base.BELOW))
        self.assertEqual([404, 400], [status for status, _message in below])
        self.assertEqual(below, list(self._refusal(migration)))

    def test_not_migrating_as_upstream(self):
        migration = self.create_migration('running (post-copy)')
        below = list(self._refusal(migration, version=base.BELOW))
        self.assertEqual([409, 409], [status for status, _message in below])
        self.assertEqual(below, list(self._refusal(migration)))
