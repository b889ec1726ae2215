# SPDX-License-Identifier: Apache-2.0

"""A cloud that answers ``nova`` and python-novaclient over HTTP."""

import importlib
import json

import fixtures
from keystoneauth1 import fixture as keystone
from keystoneauth1 import loading
from keystoneauth1 import session
from novaclient import client
from novaclient import extension
from novaclient import shell
from novaclient.tests.unit import utils as test_utils
from novaclient.v2 import shell as upstream_shell

IDENTITY = 'http://identity.host/v3'
COMPUTE = 'http://compute.host/v2.1'

SERVER = {'id': '11111111-1111-4111-8111-111111111111', 'name': 'busy'}
SECOND_SERVER = {'id': '22222222-2222-4222-8222-222222222222', 'name': 'calm'}
MIGRATION = {
    'id': 7,
    'uuid': '77777777-7777-4777-8777-777777777777',
    'source_node': 'node-a', 'dest_node': 'node-b',
    'source_compute': 'host-a', 'dest_compute': 'host-b',
    'dest_host': '192.0.2.2', 'status': 'running (post-copy)',
    'server_uuid': SERVER['id'], 'instance_uuid': SERVER['id'],
    'old_instance_type_id': 1, 'new_instance_type_id': 1,
    'migration_type': 'live-migration',
    'created_at': '2026-11-01T10:00:00', 'updated_at': '2026-11-01T10:00:01',
    'memory_total_bytes': 4, 'memory_processed_bytes': 3,
    'memory_remaining_bytes': 1, 'disk_total_bytes': 0,
    'disk_processed_bytes': 0, 'disk_remaining_bytes': 0,
    'project_id': 'p', 'user_id': 'u',
}

EXTENSIONS = ('servers', 'server_migrations', 'migrations')


def versions(maximum: str) -> dict:
    return {'version': {'id': 'v2.1', 'status': 'CURRENT', 'links': [],
                        'min_version': '2.1', 'version': maximum}}


class ClientTestCase(test_utils.TestCase):
    """Tests with a cloud, and with our extensions as if installed."""

    # The newest microversion of the cloud.
    cloud_version = '2.105'

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.EnvironmentVariable(
            'NOVACLIENT_UUID_CACHE_DIR',
            self.useFixture(fixtures.TempDir()).path))
        for name in ('OS_COMPUTE_API_VERSION', 'OS_AUTH_TYPE'):
            self.useFixture(fixtures.EnvironmentVariable(name))
        self._forget_extensions()
        self._load_extensions()
        self._start_keystone()
        self._start_nova()

    def _forget_extensions(self):
        """Take back what a process of ``nova`` has loaded for good."""
        # Shared by all extensions, also by those of earlier tests.
        self.useFixture(fixtures.MonkeyPatch(
            'novaclient.base.HookableMixin._hooks_map', {}))
        for command in ('live_migration', 'host_evacuate_live'):
            do_command = getattr(upstream_shell, 'do_' + command)
            self.useFixture(fixtures.MonkeyPatch(
                'novaclient.v2.shell.do_%s.arguments' % command,
                list(do_command.arguments)))

    def _load_extensions(self):
        self.extensions = [
            extension.Extension(name, importlib.import_module(
                'novaclient_post_copy.' + name)) for name in EXTENSIONS]
        self.useFixture(fixtures.MonkeyPatch(
            'novaclient.client.discover_extensions',
            lambda *args, **kwargs: self.extensions))

    def _start_keystone(self):
        token = keystone.V3Token(user_name='admin')
        token.set_project_scope()
        token.add_service('compute').add_standard_endpoints(public=COMPUTE)
        self.requests_mock.get(IDENTITY, json={
            'version': keystone.V3Discovery(IDENTITY)})
        self.requests_mock.post(IDENTITY + '/auth/tokens', json=token,
                                headers={'X-Subject-Token': 'token'})

    def _start_nova(self):
        self.requests_mock.get(COMPUTE, json=self._versions)
        self.requests_mock.get(
            COMPUTE + '/servers/' + SERVER['id'], json={'server': SERVER})
        self.requests_mock.post(
            COMPUTE + '/servers/%s/action' % SERVER['id'], status_code=202)
        self.requests_mock.post(
            COMPUTE + '/servers/%s/action' % SECOND_SERVER['id'],
            status_code=202)
        self.requests_mock.get(
            COMPUTE + '/os-hypervisors?hypervisor_hostname_pattern=host-a'
            '&with_servers=True',
            json={'hypervisors': [{
                'id': 1, 'hypervisor_hostname': 'host-a',
                'servers': [{'uuid': server['id'], 'name': server['name']}
                            for server in (SERVER, SECOND_SERVER)]}]})
        self.requests_mock.get(
            COMPUTE + '/servers/%s/migrations' % SERVER['id'],
            json=self._migrations)
        self.requests_mock.get(
            COMPUTE + '/os-migrations', json=self._migrations)
        self.requests_mock.get(
            COMPUTE + '/servers/%s/migrations/7' % SERVER['id'],
            json=lambda request, context: {
                'migration': self._migration(request)})

    def _versions(self, request, context) -> dict:
        return versions(self.cloud_version)

    def _migration(self, request) -> dict:
        """Answer as the cloud does: ours are there from 2.105 on."""
        if request.headers['OpenStack-API-Version'] == 'compute 2.105':
            return dict(MIGRATION, post_copy=True, phase='post-copy',
                        progress=75)
        return dict(MIGRATION)

    def _migrations(self, request, context) -> dict:
        return {'migrations': [self._migration(request)]}

    def client(self, version: str = '2.96'):
        """Return a client as a Python program makes it."""
        auth = loading.get_plugin_loader('password').load_from_options(
            auth_url=IDENTITY, username='admin', password='secret',
            project_name='demo', user_domain_id='default',
            project_domain_id='default')
        return client.Client(version, session=session.Session(auth=auth),
                             extensions=self.extensions)

    def nova(self, *argv: str) -> str:
        """Run ``nova`` and return what it prints."""
        stdout = self.useFixture(fixtures.StringStream('nova'))
        with fixtures.MonkeyPatch('sys.stdout', stdout.stream):
            shell.OpenStackComputeShell().main([
                '--os-auth-url', IDENTITY, '--os-username', 'admin',
                '--os-password', 'secret', '--os-project-name', 'demo',
                *argv])
            stdout.stream.flush()
        return stdout.getDetails()['nova'].as_text()

    @property
    def sent(self) -> list:
        """What compute was asked, version documents apart."""
        return [request for request in self.requests_mock.request_history
                if request.url.startswith(COMPUTE + '/')]

    @property
    def posted(self) -> list:
        return [request for request in self.sent if request.method == 'POST']

    def assertSent(self, request, method: str, path: str, version: str,
                   body: str | None = None) -> None:
        self.assertEqual(
            (method, COMPUTE + path, body),
            (request.method, request.url, request.body))
        self.assertEqual('compute ' + version,
                         request.headers['OpenStack-API-Version'])
        self.assertEqual(version,
                         request.headers['X-OpenStack-Nova-API-Version'])


def live_migrate_body(**arguments) -> str:
    return json.dumps({'os-migrateLive': arguments})


def column_names(table: str) -> list[str]:
    """Return the names of the columns of a printed table."""
    header = next(line for line in table.splitlines() if line[:1] == '|')
    return [name.strip() for name in header.strip('|').split('|')]
