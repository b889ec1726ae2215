# SPDX-License-Identifier: Apache-2.0

"""What else a user or an operator may ask of a server on its way."""

import fixtures
from lab.simulation import guest
from nova.compute import instance_actions

from nova_post_copy.api import microversion
from tests.functional import base

# For evacuate: each kind of body, and ours.
VERSIONS = {
    '2.13': {'onSharedStorage': True},
    '2.28': {},
    '2.67': {'host': 'dest', 'force': True},
    '2.95': {},
    microversion.VERSION: {},
}


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

    def test_what_has_to_wait(self):
        image = self.server['image']['id']
        flavor = self.api.get_flavors()[1]['id']
        for action in (
            {'pause': None},
            {'suspend': None},
            {'os-stop': None},
            {'reboot': {'type': 'SOFT'}},
            {'reboot': {'type': 'HARD'}},
            {'resize': {'flavorRef': flavor}},
            {'migrate': None},
            {'rebuild': {'imageRef': image}},
            {'rescue': None},
            {'shelve': None},
            {'createImage': {'name': 'image'}},
            {'createBackup': {'name': 'backup', 'backup_type': 'daily',
                              'rotation': 1}},
            {'changePassword': {'adminPass': 'secret'}},
            self.body(True),
            self.body(False),
            self.body(),
        ):
            status, message = self.act(action)
            self.assertEqual(409, status, (action, message))
            self.assertIn('has not finished', message)
            self.assert_on_its_way()
        for path, body in (
            ('os-interface', {'interfaceAttachment': {}}),
            ('os-volume_attachments', {'volumeAttachment': {
                'volumeId': self.cinder.IMAGE_BACKED_VOL}}),
        ):
            status, message = self.request(
                'POST', '/servers/%s/%s' % (self.server['id'], path), body)
            self.assertEqual(409, status, (path, message))
            self.assert_on_its_way()
        self.assert_arrives()

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

    def test_evacuate(self):
        # Forced down as by programs that evacuate servers by themselves.
        for forced_down in (False, True):
            self._force_down(forced_down)
            for version, body in VERSIONS.items():
                with self.microversion_is(version):
                    status, message = self.act({'evacuate': body})
                self.assertEqual(409, status, version)
                self.assertIn('runs on %s' % self.HOST, message)
                self.assertIn('Start nova-compute on src', message)
                self.assert_on_its_way()
        self.assertNotIn(instance_actions.EVACUATE, [
            action['action'] for action in
            self.api.get_instance_actions(self.server['id'])])

        self._force_down(False)
        self.assert_arrives()

    def _force_down(self, forced_down):
        (service,) = self.api.get_services(host='src', binary='nova-compute')
        self.api.put_service(service['id'], {'forced_down': forced_down})


class OnItsWayByPostCopy(OnItsWay):
    """The same, after the switch."""

    STOP_AT = guest.Happening.RESUMED
    STATUS = 'running (post-copy)'
    HOST = 'dest'
