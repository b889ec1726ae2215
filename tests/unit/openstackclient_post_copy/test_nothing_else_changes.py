# SPDX-License-Identifier: Apache-2.0

import fixtures

from tests.unit.openstackclient_post_copy import base


class NothingElseChangesTestCase(base.ClientTestCase):
    """Each command sends and prints the same with and without us."""

    def _record(self, command) -> tuple:
        before = len(self.requests_mock.request_history)
        result = self.openstack(*command)
        return result, [
            (request.method, request.url, dict(request.headers), request.body)
            for request in self.requests_mock.request_history[before:]]

    def _assert_same(self, *command):
        def load_no_hooks(cmd):
            cmd._hooks = []

        with fixtures.MonkeyPatch('cliff.command.Command._load_hooks',
                                  load_no_hooks):
            without_us = self._record(command)
        self.assertNotEqual([], without_us[1])
        self.assertEqual(without_us, self._record(command))

    def test_live_migrate(self):
        self._assert_same('server', 'migrate', '--live-migration', '--wait',
                          'busy')

    def test_live_migrate_explicit_version(self):
        for version in ('2.24', '2.30', '2.90', '2.105'):
            self._assert_same('--os-compute-api-version', version, 'server',
                              'migrate', '--live-migration', 'busy')

    def test_live_migrate_to_host(self):
        self._assert_same('server', 'migrate', '--live-migration', '--host',
                          'host-b', '--block-migration', 'busy')

    def test_cold_migrate(self):
        self._assert_same('server', 'migrate', 'busy')
        self._assert_same('--os-compute-api-version', '2.56', 'server',
                          'migrate', '--host', 'host-b', 'busy')

    def test_list_migrations_explicit_version(self):
        for version in ('2.1', '2.80', '2.104'):
            self._assert_same('--os-compute-api-version', version, 'server',
                              'migration', 'list')

    def test_show_migration_explicit_version(self):
        for migration in ('7', base.MIGRATION['uuid']):
            self._assert_same('--os-compute-api-version', '2.90', 'server',
                              'migration', 'show', 'busy', migration)

    def test_abort_migration(self):
        self.answer('DELETE', base.SERVER_MIGRATIONS + '/7', status=202)
        self._assert_same('server', 'migration', 'abort', 'busy', '7')

    def test_list_events(self):
        self.answer('GET', base.ACTIONS, {'instanceActions': []})
        self._assert_same('server', 'event', 'list', 'busy')


class UnextendedCloudTestCase(NothingElseChangesTestCase):
    cloud_version = '2.104'

    def test_live_migrate_explicit_version(self):
        for version in ('2.24', '2.30', '2.90', '2.104'):
            self._assert_same('--os-compute-api-version', version, 'server',
                              'migrate', '--live-migration', 'busy')

    def test_list_migrations(self):
        self._assert_same('server', 'migration', 'list', '--server', 'busy')

    def test_show_migration(self):
        self._assert_same('server', 'migration', 'show', 'busy',
                          base.MIGRATION['uuid'])
