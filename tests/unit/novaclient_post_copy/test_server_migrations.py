# SPDX-License-Identifier: Apache-2.0

from tests.unit.novaclient_post_copy import base

SERVER = base.SERVER['id']
MIGRATIONS = '/servers/%s/migrations' % SERVER


class ServerMigrationsTestCase(base.ClientTestCase):

    def test_list(self):
        ours = base.column_names(self.nova('server-migration-list', SERVER))

        self.assertSent(self.sent[0], 'GET', '/servers/' + SERVER, '2.96')
        self.assertSent(self.sent[1], 'GET', MIGRATIONS, '2.105')
        self.extensions = []
        upstream = base.column_names(
            self.nova('server-migration-list', SERVER))
        self.assertEqual(upstream + ['Post Copy', 'Phase'], ours)

    def test_show(self):
        table = self.nova('server-migration-show', SERVER, '7')

        self.assertSent(self.sent[0], 'GET', '/servers/' + SERVER, '2.96')
        self.assertSent(self.sent[1], 'GET', MIGRATIONS + '/7', '2.105')
        self.assertRegex(table, r'\| post_copy +\| True ')
        self.assertRegex(table, r'\| phase +\| post-copy ')
        self.assertRegex(table, r'\| progress +\| 75 ')

    def test_abort_is_sent_as_before(self):
        self.requests_mock.delete(base.COMPUTE + MIGRATIONS + '/7',
                                  status_code=202)

        self.nova('live-migration-abort', SERVER, '7')

        self.assertSent(self.sent[-1], 'DELETE', MIGRATIONS + '/7', '2.96')


class UnextendedCloudTestCase(base.ClientTestCase):
    cloud_version = '2.104'

    def test_list_as_before(self):
        table = self.nova('server-migration-list', SERVER)

        self.assertSent(self.sent[1], 'GET', MIGRATIONS, '2.96')
        self.assertNotIn('Post Copy', table)

    def test_show_as_before(self):
        table = self.nova('server-migration-show', SERVER, '7')

        self.assertSent(self.sent[1], 'GET', MIGRATIONS + '/7', '2.96')
        self.assertNotIn('post_copy', table)
