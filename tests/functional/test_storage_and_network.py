# SPDX-License-Identifier: Apache-2.0

"""Disks, volumes and ports go where the server goes, with each storage."""

from lab.simulation import guest
from tests.functional import base


class Moves:
    NETWORKS = 'auto'
    VOLUMES = 1
    #: what upstream's driver finds out of the storage
    SHARED = dict(is_shared_instance_path=True, is_shared_block_storage=True,
                  block_migration=False)

    def test_what_is_shared(self):
        self.begin()
        kept = self.inside('src', base.record.load, self.server['id'])
        self.assertEqual(self.SHARED, {
            name: getattr(kept.migrate_data, name) for name in self.SHARED})
        self.go_on()

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


class TestSharedFiles(Moves, base.BreakingHosts):
    pass


class TestLocalFiles(Moves, base.BreakingHosts):
    SHARED_INSTANCES_PATH = False
    SHARED = dict(is_shared_instance_path=False,
                  is_shared_block_storage=False, block_migration=True)


class TestRbd(Moves, base.BreakingHosts):
    IMAGES_TYPE = 'rbd'
    SHARED_INSTANCES_PATH = False
    SHARED = dict(is_shared_instance_path=False, is_shared_block_storage=True,
                  block_migration=False)

    def test_deleted(self):
        self.assertEqual({self.server['id'] + '_disk'}, self.images.pool)
        self._delete_server(self.server)
        self.assertEqual(set(), self.images.pool)
        self.assertEqual([], self.hosts.violations)


class TestBootFromVolume(Moves, base.BreakingHosts):
    BOOT_FROM_VOLUME = True
    SHARED_INSTANCES_PATH = False
    SHARED = dict(is_shared_instance_path=False, is_shared_block_storage=True,
                  block_migration=False)
