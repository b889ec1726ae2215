# SPDX-License-Identifier: Apache-2.0

"""Servers that are deleted while they migrate (issue 11, sequences 3 and 4).

Nothing of a server runs, and no port or volume of it is free, one before the
other; and a server that is softly deleted is where it was.
"""

from lab.simulation import guest
from nova import context
from nova import objects
from tests.functional import base


class Deletes(base.BreakingHosts):
    NETWORKS = 'auto'
    VOLUMES = 1

    def setUp(self):
        super().setUp()
        # For each host: their API, too, decides by it.
        self.flags(reclaim_instance_interval=3600)
        (self.volume,) = self.cinder.volumes_of(self.server['id'])

    def delete(self, kind='delete'):
        if kind == 'forceDelete':
            self.api.post_server_action(
                self.server['id'], {'forceDelete': None})
            return
        self.flags(
            reclaim_instance_interval=3600 if kind == 'soft delete' else 0)
        self.api.delete_server(self.server['id'])

    def queued_for_delete(self):
        return objects.InstanceMapping.get_by_instance_uuid(
            context.get_admin_context(),
            self.server['id']).queued_for_delete

    def assert_not_before(self):
        """Check that nothing of a running server is free."""
        self.assertTrue(self.hosts.running_on(self.server['id']))
        self.assertTrue(self.cinder.attached(self.volume))
        self.assertTrue(self.neutron.bindings(self.server['id']))

    def assert_gone(self):
        self.wait_for('deleted', lambda: self.request(
            'GET', '/servers/' + self.server['id'])[0] == 404)
        self.wait_for('no domain', lambda: not self.hosts.domains(
            self.server['id']))
        self.assert_no_records()
        self.wait_for('volume is free', lambda: not self.cinder.attached(
            self.volume))
        self.assertEqual({}, self.neutron.bindings(self.server['id']))
        self.assertTrue(self.queued_for_delete())
        self.assertEqual([], self.hosts.violations)
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))

    def assert_soft_deleted(self, host):
        self.wait_for('soft deleted', lambda: (
            self.show()['OS-EXT-STS:vm_state'] == 'soft-delete'))
        self.assertEqual(host, self.show()['OS-EXT-SRV-ATTR:host'])
        self.assertEqual(set(), self.hosts.running_on(self.server['id']))
        self.assertTrue(self.queued_for_delete())
        self.assert_no_records()
        self.api.post_server_action(self.server['id'], {'restore': None})
        self.wait_for('restored', lambda: self.show()['status'] == 'ACTIVE')
        self.assertFalse(self.queued_for_delete())
        self.assert_on(host)


class TestPreCopy(Deletes):
    """The migration is aborted first."""

    def setUp(self):
        super().setUp()
        self.begin(guest.Happening.ITERATION)

    def test_delete(self):
        self.delete()
        self.go_on()
        self.assert_gone()

    def test_force_delete(self):
        self.delete('forceDelete')
        self.go_on()
        self.assert_gone()

    def test_soft_delete(self):
        self.delete('soft delete')
        self.go_on()
        self.wait_for('soft deleted', lambda: (
            self.show()['OS-EXT-STS:vm_state'] == 'soft-delete'))
        self.assert_soft_deleted(self.show()['OS-EXT-SRV-ATTR:host'])


class TestPostCopy(Deletes):
    """The end of the migration comes first."""

    def setUp(self):
        super().setUp()
        self.begin()

    def test_delete(self):
        self.delete()
        self.assert_not_before()
        self.go_on()
        self.assert_gone()

    def test_force_delete(self):
        self.delete('forceDelete')
        self.assert_not_before()
        self.go_on()
        self.assert_gone()

    def test_soft_delete_and_restore(self):
        self.delete('soft delete')
        self.assert_not_before()
        self.go_on()
        self.assert_soft_deleted('dest')

    def test_repeated(self):
        for _time in range(3):
            self.delete()
        self.assert_not_before()
        self.go_on()
        self.assert_gone()

    def test_then_the_state_is_reset(self):
        self.delete()
        for state in ('error', 'active'):
            self.api.post_server_action(
                self.server['id'], {'os-resetState': {'state': state}})
        self.assert_not_before()
        self.go_on()
        self.assert_gone()

    def test_after_the_state_was_reset(self):
        self.api.post_server_action(
            self.server['id'], {'os-resetState': {'state': 'error'}})
        self.delete()
        self.assert_not_before()
        self.go_on()
        self.assert_gone()

    def test_source_is_restarted(self):
        self.delete('soft delete')
        self.kill_compute('src')
        self.go_on()
        self.restart_compute('src')
        self.assert_soft_deleted('dest')

    def test_damaged_record(self):
        self.damage_record('src')
        self.delete()
        self.assert_not_before()
        self.go_on()
        self.assert_gone()

    def test_record_that_cannot_be_read(self):
        self.let_disks_fail()
        self.unreadable.add('src')
        self.delete()
        self.assert_not_before()
        self.go_on()
        # The migration ends; nothing follows until the record can be read.
        self.wait_for_happening(guest.Happening.COMPLETED)
        self.assert_not_before()
        self.unreadable.clear()
        self.assert_gone()


class TestInterrupted(Deletes):
    """A delete does not give the memory up."""

    def setUp(self):
        super().setUp()
        self.begin()
        self.interrupt()

    def deleted_when_the_network_is_back(self, kind):
        self.delete(kind)
        self.wait_for('remembered', lambda: (
            self.show()['OS-EXT-STS:task_state'] == 'migrating'))
        self.assert_not_before()
        self.hosts.heal()

    def test_delete(self):
        self.deleted_when_the_network_is_back('delete')
        self.assert_gone()

    def test_force_delete(self):
        self.deleted_when_the_network_is_back('forceDelete')
        self.assert_gone()

    def test_soft_delete(self):
        self.deleted_when_the_network_is_back('soft delete')
        self.assert_soft_deleted('dest')


class TestInterruptedOnRbd(TestInterrupted):
    """And the source removes no image that QEMU there has open."""

    IMAGES_TYPE = 'rbd'
    SHARED_INSTANCES_PATH = False

    def test_lost(self):
        self.delete()
        self.wait_for('remembered', lambda: (
            self.show()['OS-EXT-STS:task_state'] == 'migrating'))
        self.hosts.kill_qemu('dest', self.server['id'])
        self.assert_gone()
