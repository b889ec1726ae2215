# SPDX-License-Identifier: Apache-2.0

"""What goes beside a migration; :mod:`.answers` has all other requests."""

import fixtures
from lab.simulation import guest

from tests.functional import base


class OnItsWay(base.TwoHosts):
    """A busy server that stands still on its way by post-copy."""

    STOP_AT = guest.Happening.ITERATION
    STATUS = 'running'
    #: where it runs
    HOST = 'src'

    def setUp(self):
        super().setUp()
        # It stands still, and is not broken.
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.decisions.recovery.STALLED_AFTER_S', 600.0))
        self.make_busy()
        self.stop_at(self.STOP_AT)
        self.live_migrate(True)
        self.wait_until_stopped()
        self.migration = self.wait_for_migration(self.STATUS)

    def act(self, action):
        return self.request(
            'POST', '/servers/%s/action' % self.server['id'], action)

    def assert_on_its_way(self):
        """Check that nothing has come in between."""
        server = self.show()
        self.assertEqual(('src', 'MIGRATING', 'migrating'), (
            server['OS-EXT-SRV-ATTR:host'], server['status'],
            server['OS-EXT-STS:task_state']))
        self.assertEqual({self.HOST},
                         self.hosts.running_on(self.server['id']))
        self.assertEqual(
            [(self.migration['id'], self.STATUS)],
            [(migration['id'], migration['status'])
             for migration in self.migrations()])

    def assert_arrives(self):
        self.go_on()
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)

    def test_what_goes_beside(self):
        path = '/servers/%s' % self.server['id']
        for action in ({'lock': None}, {'unlock': None}):
            status, message = self.act(action)
            self.assertEqual(202, status, (action, message))
        self.api.api_put(path, {'server': {'name': 'renamed'}})
        self.api.api_post(path + '/metadata', {'metadata': {'key': 'value'}})
        self.api.api_put(path + '/tags', {'tags': ['tag']})
        self.assert_on_its_way()
        self.assert_arrives()

        server = self.show()
        self.assertEqual(('renamed', {'key': 'value'}, ['tag']), (
            server['name'], server['metadata'], server['tags']))


class OnItsWayByPostCopy(OnItsWay):
    """The same, after the switch."""

    STOP_AT = guest.Happening.RESUMED
    STATUS = 'running (post-copy)'
    HOST = 'dest'
