# SPDX-License-Identifier: Apache-2.0

"""A cloud that answers ``openstack`` and openstacksdk over HTTP."""

import contextlib
import io
import json
import logging
import os
from typing import NamedTuple

import fixtures
from keystoneauth1 import fixture as keystone
from openstackclient import shell
from osc_lib import clientmanager
from requests_mock.contrib import fixture as requests_mock
import testtools

IDENTITY = 'http://identity.host/v3'
COMPUTE = 'http://compute.host/v2.1'
PROJECT = 'dddddddddddddddddddddddddddddddd'

SERVER = {
    'id': '11111111-1111-4111-8111-111111111111', 'name': 'busy',
    'status': 'ACTIVE', 'OS-EXT-STS:task_state': None,
    'OS-EXT-SRV-ATTR:host': 'host-b',
}
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
    'project_id': PROJECT, 'user_id': 'u',
}
ACTION = '/servers/%s/action' % SERVER['id']
ACTIONS = '/servers/%s/os-instance-actions' % SERVER['id']
SERVER_MIGRATIONS = '/servers/%s/migrations' % SERVER['id']

CLOUDS = {'clouds': {'test': {
    'auth': {'auth_url': IDENTITY, 'username': 'admin', 'password': 'secret',
             'project_name': 'demo', 'user_domain_id': 'default',
             'project_domain_id': 'default'},
}}}


class Result(NamedTuple):
    code: int
    stdout: str
    stderr: str


class ClientTestCase(testtools.TestCase):
    """Tests with a cloud; our hooks are found as they are installed."""

    # The newest microversion of the cloud.
    cloud_version = '2.105'

    def setUp(self):
        super().setUp()
        for name in os.environ:
            if name.startswith('OS_') and not name.startswith('OS_TEST'):
                self.useFixture(fixtures.EnvironmentVariable(name))
        self.clouds = os.path.join(
            self.useFixture(fixtures.TempDir()).path, 'clouds.yaml')
        self.write_clouds(CLOUDS)
        for name, value in (('OS_CLIENT_CONFIG_FILE', self.clouds),
                            ('OS_CLOUD', 'test')):
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        self.requests_mock = self.useFixture(requests_mock.Fixture())
        self._start_keystone()
        self._start_nova()

    def write_clouds(self, clouds: dict) -> None:
        with open(self.clouds, 'w') as file:
            json.dump(clouds, file)     # which is YAML, too

    def _start_keystone(self):
        token = keystone.V3Token(user_name='admin')
        token.set_project_scope(id=PROJECT)
        token.add_service('compute').add_standard_endpoints(public=COMPUTE)
        token.add_service('identity').add_standard_endpoints(public=IDENTITY)
        self.requests_mock.get(IDENTITY, json={
            'version': keystone.V3Discovery(IDENTITY)})
        self.requests_mock.post(IDENTITY + '/auth/tokens', json=token,
                                headers={'X-Subject-Token': 'token'})

    def _start_nova(self):
        self.requests_mock.get(COMPUTE, json=self._versions)
        self.answer('GET', '/servers/' + SERVER['id'], {'server': SERVER})
        self.answer('GET', '/servers/busy', status=404)
        self.answer('GET', '/servers/detail?name=busy', {'servers': [SERVER]})
        self.answer('POST', ACTION, status=202)
        self.requests_mock.get(COMPUTE + '/os-migrations',
                               json=self._migrations)
        self.requests_mock.get(COMPUTE + SERVER_MIGRATIONS,
                               json=self._migrations)
        self.requests_mock.get(
            COMPUTE + SERVER_MIGRATIONS + '/7',
            json=lambda request, context: {
                'migration': self._migration(request)})

    def answer(self, method: str, path: str, body: dict | None = None,
               status: int = 200) -> None:
        self.requests_mock.request(method, COMPUTE + path, json=body,
                                   status_code=status)

    def _versions(self, request, context) -> dict:
        return {'version': {
            'id': 'v2.1', 'status': 'CURRENT', 'min_version': '2.1',
            'version': self.cloud_version,
            'links': [{'rel': 'self', 'href': COMPUTE}]}}

    def _migration(self, request) -> dict:
        """Answer as the cloud does: ours are there from 2.105 on."""
        if version_of(request) == '2.105':
            return dict(MIGRATION, post_copy=True, phase='post-copy',
                        progress=75)
        return dict(MIGRATION)

    def _migrations(self, request, context) -> dict:
        return {'migrations': [self._migration(request)]}

    def openstack(self, *argv: str) -> Result:
        """Run ``openstack`` as a process of its own would."""
        for cache in vars(clientmanager.ClientManager).values():
            if isinstance(cache, clientmanager.ClientCache):
                cache._handle = None
        stdout, stderr = io.StringIO(), io.StringIO()
        root = logging.getLogger()
        handlers = list(root.handlers)
        with (contextlib.redirect_stdout(stdout),
              contextlib.redirect_stderr(stderr)):
            try:
                self.shell = shell.OpenStackShell()
                code = self.shell.run(list(argv))
            except SystemExit as exited:     # by argparse
                code = exited.code
            finally:
                root.handlers = handlers
        return Result(code, stdout.getvalue(), stderr.getvalue())

    @property
    def sent(self) -> list:
        """What compute was asked, version documents apart."""
        return [request for request in self.requests_mock.request_history
                if request.url.startswith(COMPUTE + '/')]

    @property
    def posted(self) -> list:
        return [request for request in self.sent if request.method == 'POST']

    def assert_posted(self, request, version: str, **arguments) -> None:
        """Check a request for a live migration."""
        self.assertEqual(
            ('POST', COMPUTE + ACTION, {'os-migrateLive': arguments}, version),
            (request.method, request.url, request.json(),
             version_of(request)))


def version_of(request) -> str | None:
    header = request.headers.get('OpenStack-API-Version')
    return header and header.removeprefix('compute ')
