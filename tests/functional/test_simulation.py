# SPDX-License-Identifier: Apache-2.0

"""What tests command of the simulated cloud is what Nova then finds."""

from keystoneauth1 import exceptions as keystone_exceptions
from oslo_db import exception as db_exception

from lab.simulation.domain_object import DomainObject
from nova.compute import vm_states
from nova import context
from nova import objects
from tests.functional import base


class TestSurroundings(base.TwoHosts):
    HOSTS = ('src', 'dest', 'other')
    NETWORKS = 'auto'
    VOLUMES = 1
    SHARED_INSTANCES_PATH = False
    IMAGES_TYPE = 'rbd'

    def test_a_dead_host_is_evacuated(self):
        self.die('src')
        # From 2.95 on the server is stopped at once.
        with self.microversion_is('2.94'):
            self.request('POST', '/servers/%s/action' % self.server['id'],
                         {'evacuate': {'host': 'other'}})
        self.wait_for('on other', lambda: (
            self.show()['OS-EXT-SRV-ATTR:host'] == 'other' and
            self.show()['status'] == 'ACTIVE'))
        # Nobody has fenced src: two writers, which are noted.
        self.assertEqual({'src', 'other'},
                         self.hosts.running_on(self.server['id']))
        self.assertIn('is written by server', str(self.hosts.violations))
        self.restart_compute('src')
        self.wait_for('src is cleaned up', lambda: (
            {'other'} == set(self.hosts.domains(self.server['id']))))

    def test_soft_delete_and_restore(self):
        self.flags(reclaim_instance_interval=3600)
        self.request('DELETE', '/servers/%s' % self.server['id'])
        self.wait_for('soft deleted', lambda: (
            self.show()['OS-EXT-STS:vm_state'] == vm_states.SOFT_DELETED))
        self.assertEqual(set(), self.hosts.running_on(self.server['id']))
        self.request('POST', '/servers/%s/action' % self.server['id'],
                     {'restore': None})
        self.wait_for('restored', lambda: self.show()['status'] == 'ACTIVE')
        self.assert_on('src')

    def test_a_host_without_its_control_network(self):
        self.processes['src'].disconnect()
        self.request('POST', '/servers/%s/action' % self.server['id'],
                     {'reboot': {'type': 'HARD'}})
        self.assertRaises(
            db_exception.DBConnectionError, self.inside, 'src',
            objects.Instance.get_by_uuid, context.get_admin_context(),
            self.server['id'])
        self.assertRaises(
            keystone_exceptions.ConnectFailure, self.inside, 'src',
            self.neutron._get_client(context.get_admin_context()).list_ports)
        self.assertEqual('rebooting_hard',
                         self.show()['OS-EXT-STS:task_state'])
        self.processes['src'].reconnect()
        self.wait_until_settled()
        self.assert_on('src')

    def test_power_off(self):
        self.hosts.let_guest(self.server['id'], DomainObject.power_off)
        self.assertEqual(set(), self.hosts.running_on(self.server['id']))

    def test_a_deleted_port(self):
        (domain,) = self.hosts.domains(self.server['id']).values()
        mac = self.delete_port()
        self.wait_for('detached', lambda: mac not in domain.macs())
        self.assert_on('src')

    def test_an_extended_volume(self):
        (volume,) = self.cinder.volumes_of(self.server['id'])
        (domain,) = self.hosts.domains(self.server['id']).values()
        self.extend_volume(volume, 2)
        self.wait_for('extended', lambda: (
            domain.disk_size(volume) == 2 << 30))

    def test_a_volume_is_attached_and_detached(self):
        volume = self.cinder.new_volume()
        self._attach_volumes(self.server, [volume])
        self.assert_on('src')
        self.api.delete_server_volume(self.server['id'], volume)
        self._wait_for_volume_detach(self.server['id'], volume)
        self.wait_for('free', lambda: not self.cinder.attached(volume))
        self.assertEqual(set(), self.cinder.san.connected(volume))
        self.assert_on('src')
