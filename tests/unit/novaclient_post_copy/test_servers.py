# SPDX-License-Identifier: Apache-2.0

import novaclient
from novaclient import api_versions
from novaclient import exceptions

from tests.unit.novaclient_post_copy import base

SERVER = base.SERVER['id']
ACTION = '/servers/%s/action' % SERVER


class LiveMigrateTestCase(base.ClientTestCase):
    """``servers.live_migrate()`` of a Python program."""

    def test_post_copy_true(self):
        self.client().servers.live_migrate(
            SERVER, 'host-b', 'auto', post_copy=True)

        self.assertEqual(1, len(self.sent))
        self.assertSent(
            self.sent[0], 'POST', ACTION, '2.105',
            base.live_migrate_body(host='host-b', block_migration='auto',
                                   post_copy=True))

    def test_post_copy_false_is_sent(self):
        self.client().servers.live_migrate(
            SERVER, None, False, post_copy=False)

        self.assertSent(
            self.sent[0], 'POST', ACTION, '2.105',
            base.live_migrate_body(host=None, block_migration=False,
                                   post_copy=False))

    def test_not_said_is_upstream(self):
        self.client().servers.live_migrate(SERVER, None, 'auto')

        self.assertSent(
            self.sent[0], 'POST', ACTION, '2.96',
            base.live_migrate_body(host=None, block_migration='auto'))

    def test_not_said_with_arguments_of_old_versions(self):
        self.client('2.30').servers.live_migrate(
            SERVER, 'host-b', 'auto', force=True)
        self.client('2.27').servers.live_migrate(
            SERVER, 'host-b', block_migration='auto')

        self.assertSent(
            self.sent[0], 'POST', ACTION, '2.30',
            base.live_migrate_body(host='host-b', block_migration='auto',
                                   force=True))
        self.assertSent(
            self.sent[1], 'POST', ACTION, '2.27',
            base.live_migrate_body(host='host-b', block_migration='auto'))

    def test_client_keeps_its_version(self):
        client = self.client()
        client.servers.live_migrate(SERVER, None, 'auto', post_copy=True)

        client.servers.get(SERVER)

        self.assertSent(self.sent[-1], 'GET', '/servers/' + SERVER, '2.96')
        self.assertEqual(api_versions.APIVersion('2.96'),
                         novaclient.API_MAX_VERSION)

    def test_force_is_refused(self):
        self.assertRaises(
            TypeError, self.client('2.30').servers.live_migrate,
            SERVER, 'host-b', 'auto', force=True, post_copy=True)
        self.assertEqual([], self.posted)

    def test_of_a_server(self):
        server = self.client().servers.get(SERVER)
        server.live_migrate(post_copy=True)
        server.live_migrate('host-b', False, post_copy=False)
        server.live_migrate()

        self.assertSent(
            self.posted[0], 'POST', ACTION, '2.105',
            base.live_migrate_body(host=None, block_migration='auto',
                                   post_copy=True))
        self.assertSent(
            self.posted[1], 'POST', ACTION, '2.105',
            base.live_migrate_body(host='host-b', block_migration=False,
                                   post_copy=False))
        self.assertSent(
            self.posted[2], 'POST', ACTION, '2.96',
            base.live_migrate_body(host=None, block_migration='auto'))

    def test_request_id_is_returned(self):
        self.requests_mock.post(
            base.COMPUTE + ACTION, status_code=202,
            headers={'x-openstack-request-id': 'req-1'})

        result = self.client().servers.live_migrate(
            SERVER, None, 'auto', post_copy=True)

        self.assertEqual(['req-1'], result.request_ids)


class UnextendedCloudTestCase(base.ClientTestCase):
    cloud_version = '2.104'

    def test_refused_before_anything_is_posted(self):
        error = self.assertRaises(
            exceptions.UnsupportedVersion,
            self.client().servers.live_migrate,
            SERVER, None, 'auto', post_copy=True)

        self.assertIn("'2.1' to '2.104'", str(error))
        self.assertIn("'2.105'", str(error))
        self.assertNotIn('\n', str(error))
        self.assertEqual([], self.sent)

    def test_command_refused_before_anything_is_posted(self):
        for command in (['live-migration', '--post-copy', SERVER],
                        ['live-migration', '--no-post-copy', SERVER],
                        ['host-evacuate-live', '--post-copy', 'host-a']):
            error = self.assertRaises(
                exceptions.UnsupportedVersion, self.nova, *command)
            self.assertIn("'2.1' to '2.104'", str(error))
            self.assertNotIn('\n', str(error))
        self.assertEqual([], self.sent)

    def test_without_the_option(self):
        self.nova('live-migration', SERVER)

        self.assertSent(
            self.posted[0], 'POST', ACTION, '2.96',
            base.live_migrate_body(host=None, block_migration='auto'))


class OldCloudTestCase(UnextendedCloudTestCase):
    """A cloud that is also older than novaclient."""

    cloud_version = '2.60'

    def test_refused_before_anything_is_posted(self):
        error = self.assertRaises(
            exceptions.UnsupportedVersion,
            self.client('2.60').servers.live_migrate,
            SERVER, None, 'auto', post_copy=True)
        self.assertIn("'2.1' to '2.60'", str(error))
        self.assertEqual([], self.sent)

    def test_command_refused_before_anything_is_posted(self):
        error = self.assertRaises(
            exceptions.UnsupportedVersion,
            self.nova, 'live-migration', '--post-copy', SERVER)
        self.assertIn("'2.1' to '2.60'", str(error))
        self.assertEqual([], self.sent)

    def test_without_the_option(self):
        self.nova('live-migration', '--force', SERVER, 'host-b')

        self.assertSent(
            self.posted[0], 'POST', ACTION, '2.60',
            base.live_migrate_body(host='host-b', block_migration='auto',
                                   force=True))


class NoMicroversionsTestCase(base.ClientTestCase):
    cloud_version = ''

    def test_refused(self):
        error = self.assertRaises(
            exceptions.UnsupportedVersion,
            self.nova, 'live-migration', '--post-copy', SERVER)
        self.assertIn('no microversions', str(error))
        self.assertEqual([], self.sent)


class LiveMigrationCommandTestCase(base.ClientTestCase):

    def test_post_copy(self):
        self.nova('live-migration', '--post-copy', SERVER)

        self.assertEqual(2, len(self.sent))
        self.assertSent(self.sent[0], 'GET', '/servers/' + SERVER, '2.96')
        self.assertSent(
            self.sent[1], 'POST', ACTION, '2.105',
            base.live_migrate_body(host=None, block_migration='auto',
                                   post_copy=True))

    def test_destination(self):
        self.nova('live-migration', '--block-migrate', SERVER, 'host-b',
                  '--post-copy')

        self.assertSent(
            self.posted[0], 'POST', ACTION, '2.105',
            base.live_migrate_body(host='host-b', block_migration=True,
                                   post_copy=True))

    def test_no_post_copy(self):
        self.nova('live-migration', '--no-post-copy', SERVER)

        self.assertSent(
            self.posted[0], 'POST', ACTION, '2.105',
            base.live_migrate_body(host=None, block_migration='auto',
                                   post_copy=False))

    def test_both_are_refused(self):
        self.assertRaises(SystemExit, self.nova, 'live-migration',
                          '--post-copy', '--no-post-copy', SERVER)
        self.assertEqual([], self.sent)

    def test_explicit_version_is_refused(self):
        for version in ('2.30', '2.96', '2'):
            error = self.assertRaises(
                exceptions.CommandError, self.nova,
                '--os-compute-api-version', version,
                'live-migration', '--post-copy', SERVER)
            self.assertIn("'2.105'", str(error))
            self.assertIn('--os-compute-api-version', str(error))
            self.assertNotIn('\n', str(error))
        self.assertEqual([], self.sent)

    def test_latest_may_be_named(self):
        self.nova('--os-compute-api-version', '2.latest',
                  'live-migration', '--post-copy', SERVER)

        self.assertEqual(1, len(self.posted))

    def test_help_names_the_microversion(self):
        for command in ('live-migration', 'host-evacuate-live'):
            text = ' '.join(self.nova('help', command).split())
            self.assertIn("--post-copy", text)
            self.assertEqual(
                3, text.count("(Supported by API versions '2.105' -"))

    def test_refusal_of_the_cloud_is_shown(self):
        self.requests_mock.post(
            base.COMPUTE + ACTION, status_code=409,
            json={'conflictingRequest': {
                'code': 409, 'message': 'host-a does not allow post-copy'}})

        error = self.assertRaises(
            exceptions.Conflict,
            self.nova, 'live-migration', '--post-copy', SERVER)
        self.assertIn('host-a does not allow post-copy', str(error))


class HostEvacuateLiveCommandTestCase(base.ClientTestCase):

    def _posted_bodies(self):
        return [(request.path, request.body)
                for request in self.posted]

    def test_post_copy(self):
        self.nova('host-evacuate-live', '--post-copy', 'host-a')

        body = base.live_migrate_body(host=None, block_migration='auto',
                                      post_copy=True)
        self.assertEqual(
            [('/v2.1/servers/%s/action' % server['id'], body)
             for server in (base.SERVER, base.SECOND_SERVER)],
            self._posted_bodies())
        for request in self.posted:
            self.assertEqual('compute 2.105',
                             request.headers['OpenStack-API-Version'])

    def test_version_is_found_once_for_all_servers(self):
        self.nova('host-evacuate-live', '--post-copy', 'host-a')

        documents = [request for request in self.requests_mock.request_history
                     if request.url == base.COMPUTE]
        # One by nova itself, one by us.
        self.assertEqual(2, len(documents))

    def test_no_post_copy_and_target(self):
        self.nova('host-evacuate-live', '--no-post-copy', '--target-host',
                  'host-b', '--max-servers', '1', 'host-a')

        self.assertEqual(
            [('/v2.1' + ACTION,
              base.live_migrate_body(host='host-b', block_migration='auto',
                                     post_copy=False))],
            self._posted_bodies())

    def test_one_refusal_does_not_stop_the_others(self):
        self.requests_mock.post(
            base.COMPUTE + ACTION, status_code=409,
            json={'conflictingRequest': {'code': 409, 'message': 'vGPU'}})

        table = self.nova('host-evacuate-live', '--post-copy', 'host-a')

        self.assertEqual(2, len(self.posted))
        self.assertIn('vGPU', table)


class NothingElseChangesTestCase(base.ClientTestCase):
    """Each command sends and prints the same with and without us."""

    def _record(self, command) -> tuple:
        before = len(self.requests_mock.request_history)
        printed = self.nova(*command)
        return printed, [
            (request.method, request.url, dict(request.headers), request.body)
            for request in self.requests_mock.request_history[before:]]

    def _assert_same(self, *command):
        ours, self.extensions = self.extensions, []
        without_us = self._record(command)
        self.extensions = ours
        self.assertEqual(without_us, self._record(command))

    def test_live_migration(self):
        self._assert_same('live-migration', SERVER)

    def test_live_migration_explicit_version(self):
        self._assert_same('--os-compute-api-version', '2.30',
                          'live-migration', '--force', SERVER, 'host-b')

    def test_host_evacuate_live(self):
        self._assert_same('host-evacuate-live', 'host-a')

    def test_show_migration_explicit_version(self):
        self._assert_same('--os-compute-api-version', '2.96',
                          'server-migration-show', SERVER, '7')

    def test_list_migrations_explicit_version(self):
        self._assert_same('--os-compute-api-version', '2.80',
                          'migration-list')

    def test_list_migrations_of_server_explicit_version(self):
        self._assert_same('--os-compute-api-version', '2.27',
                          'server-migration-list', SERVER)
