# SPDX-License-Identifier: Apache-2.0

"""``nova ... --poll`` follows real migrations."""

import io

import fixtures
from keystoneauth1 import plugin
from keystoneauth1 import session
from novaclient import client
from novaclient import exceptions
from novaclient import extension
from novaclient_post_copy import poll
from novaclient_post_copy import servers

from lab.simulation import guest
from tests.functional import base


class Identity(plugin.BaseAuthPlugin):
    """Tells who one is as the tests' own client does, without a token."""

    def __init__(self, api):
        super().__init__()
        self.api = api

    def get_headers(self, session):
        return {'X-Auth-User': self.api.auth_user,
                'X-User-Id': self.api.auth_user,
                'X-Auth-Project-Id': self.api.project_id,
                'X-Roles': ','.join(self.api.roles)}

    def get_endpoint(self, session, **kwargs):
        return self.api.base_url

    def get_project_id(self, session, **kwargs):
        return self.api.project_id


class TestPoll(base.TwoHosts):
    def setUp(self):
        super().setUp()
        self.make_busy()
        self.earlier = set()
        self.nova = client.Client(
            '2.96', session=session.Session(auth=Identity(self.api)),
            extensions=[extension.Extension('servers', servers)])
        self.stdout = io.StringIO()
        self.useFixture(fixtures.MonkeyPatch('sys.stdout', self.stdout))
        self.useFixture(fixtures.MonkeyPatch(
            'client_post_copy.watch.INTERVAL_S', 0.1))

    def request_migration(self):
        polled = poll.Poll(self.nova, self.nova.servers.live_migrate)
        polled.live_migrate(self.server['id'], None, 'auto', post_copy=True)
        return polled

    def printed(self):
        return self.stdout.getvalue().splitlines()

    def test_moved(self):
        self.request_migration().follow_server()

        *phases, end = self.printed()
        for phase in ('pre-copy', 'post-copy'):
            self.assertTrue([line for line in phases
                             if '%s, ' % phase in line and
                             'MiB remaining' in line], phases)
        self.assertTrue(end.startswith(
            'Complete. Server %s (%s) is ACTIVE on dest. The server was '
            'degraded for ' % (self.server['name'], self.server['id'])), end)
        self.assert_on('dest', self.migrations()[0])

    def test_aborted(self):
        self.stop_at(guest.Happening.ITERATION)
        polled = self.request_migration()
        self.wait_until_stopped()
        running = self.wait_for_migration('running')
        self.api.delete_migration(self.server['id'], running['id'])
        self.go_on()

        error = self.assertRaises(
            exceptions.CommandError, polled.follow_server)

        self.assertIn(
            'Migration %d ended with status cancelled. Server %s (%s) is '
            'ACTIVE on src. Reason: ' % (
                running['id'], self.server['name'], self.server['id']),
            str(error))
        self.assert_on('src')

    def test_nowhere_to_go(self):
        self.api.put_service(self.api.get_services(
            binary='nova-compute', host='dest')[0]['id'],
            {'status': 'disabled'})

        polled = self.request_migration()
        error = self.assertRaises(
            exceptions.CommandError, polled.follow_server)

        self.assertIn('ended with status error', str(error))
        self.assertIn('No valid host was found', str(error))
        self.assert_on('src')
