# SPDX-License-Identifier: Apache-2.0

"""A check before the migration fails: the server is as it was."""

import errno
import os

import fixtures
from keystoneauth1 import exceptions as ks_exc

from tests.functional import base


class TestFailedCheck(base.TwoHosts):
    NETWORKS = 'auto'
    #: both values of a request: neither is upstream's task
    VALUES = (True, False)

    def assert_as_it_was(self, *reasons):
        for post_copy in self.VALUES:
            self.live_migrate(post_copy)
            migration = self.wait_for_migration('error', 'failed')
            server = self.wait_until_settled()
            self.assertEqual('error', migration['status'])
            self.assertEqual('ACTIVE', server['status'])
            event = self.event('conductor_live_migrate_instance')
            self.assertEqual('Error', event['result'])
            public = self.newest_fault().message
            for text in (public, event['details']):
                for reason in reasons:
                    self.assertIn(reason, text)
                for foreign in ('Error', 'Failure', '{', '://'):
                    self.assertNotIn(foreign, text)
            self.assertNotIn('dest', public)
            self.assertEqual([], self.hosts.moves)
            self.assert_on('src', migration)

    def migrate_all_the_same(self):
        self.live_migrate(True)
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)

    def test_neutron_does_not_bind(self):
        self.neutron.outage.begin(
            'create_port_binding',
            error=lambda: ks_exc.ConnectFailure('http://neutron:9696'))
        self.assert_as_it_was('neutron')
        self.neutron.outage.end()
        self.migrate_all_the_same()

    def test_disk_of_the_source_is_full(self):
        self.let_disks_fail()
        self.images.full.add('src')
        self.live_migrate(True)
        migration = self.wait_for_migration('error')
        self.assertEqual('ACTIVE', self.wait_until_settled()['status'])
        self.assertIn('No space left', self.newest_fault().details)
        self.assert_on('src', migration)
        self.images.full.clear()
        self.migrate_all_the_same()

    def test_instances_path_of_the_destination_is_read_only(self):
        def refuse(*args):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        with fixtures.MonkeyPatch(
                'nova.virt.libvirt.driver.LibvirtDriver.'
                '_create_shared_storage_test_file', refuse):
            self.assert_as_it_was('Read-only file system')
        self.migrate_all_the_same()
