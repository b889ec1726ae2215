# SPDX-License-Identifier: Apache-2.0

"""Volumes and ports go where the server goes."""

from lab.simulation import guest
from tests.functional import base


class TestVolumesAndPort(base.BreakingHosts):
    NETWORKS = 'auto'
    VOLUMES = 2

    def test_created(self):
        self.assert_on('src')
        self.assertEqual(2, len(self.cinder.volumes_of(self.server['id'])))
        self.assertEqual(1, len(self.neutron.bindings(self.server['id'])))

    def test_completed(self):
        self.live_migrate(True)
        self.settled('completed', 'dest')

    def test_there_and_back(self):
        self.live_migrate(True)
        self.settled('completed', 'dest')
        self.live_migrate(True)
        self.settled('completed', 'src')

    def test_between_the_hosts(self):
        self.begin()
        for volume in self.cinder.volumes_of(self.server['id']):
            self.assertEqual({'src': 'attached', 'dest': 'attached'},
                             self.cinder.attached(volume))
        (bindings,) = self.neutron.bindings(self.server['id']).values()
        self.assertEqual({'src': 'INACTIVE', 'dest': 'ACTIVE'}, bindings)
        self.go_on()
        self.settled('completed', 'dest')

    def test_aborted_in_pre_copy(self):
        migration = self.begin(guest.Happening.ITERATION)
        self.api.api_delete('/servers/%s/migrations/%s' % (
            self.server['id'], migration['id']))
        self.go_on()
        self.settled('cancelled', 'src')


class TestBootFromVolume(TestVolumesAndPort):
    VOLUMES = 1
    BOOT_FROM_VOLUME = True
