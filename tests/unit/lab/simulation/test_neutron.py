# SPDX-License-Identifier: Apache-2.0

"""The simulated neutron binds ports as ML2 does."""

from keystoneauth1 import exceptions as keystone_exceptions
from neutronclient.common import exceptions
from nova import context
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import neutron

SRC, DEST = 'src', 'dest'


class TestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.neutron = self.useFixture(neutron.Neutron(self))
        self.client = self.neutron._get_client(context.get_admin_context())
        self.port = self.client.create_port({'port': {
            'device_id': uuids.server}})['port']['id']
        self.update(SRC)

    def update(self, host):
        self.client.update_port(
            self.port, {'port': {'binding:host_id': host}})

    def bind(self, host):
        self.client.create_port_binding(
            self.port, {'binding': {'host': host}})

    def activate(self, host):
        self.client.activate_port_binding(self.port, host)

    def bindings(self):
        (bindings,) = self.neutron.bindings(uuids.server).values()
        return bindings

    def refused(self, status, function, *args):
        error = self.assertRaises(
            exceptions.NeutronClientException, function, *args)
        self.assertEqual(status, error.status_code)

    def test_a_second_binding_is_inactive(self):
        self.bind(DEST)
        self.assertEqual({SRC: 'ACTIVE', DEST: 'INACTIVE'}, self.bindings())

    def test_no_second_binding_of_a_host(self):
        self.bind(DEST)
        self.refused(409, self.bind, DEST)

    def test_activation_moves(self):
        self.bind(DEST)
        self.activate(DEST)
        self.assertEqual({SRC: 'INACTIVE', DEST: 'ACTIVE'}, self.bindings())
        self.assertEqual(DEST, self.client.show_port(
            self.port)['port']['binding:host_id'])

    def test_activation_of_the_active_one(self):
        self.refused(409, self.activate, SRC)

    def test_activation_of_none(self):
        self.refused(404, self.activate, DEST)

    def test_an_update_moves_the_active_one(self):
        self.update(DEST)
        self.assertEqual({DEST: 'ACTIVE'}, self.bindings())

    def test_an_update_to_a_host_with_an_inactive_one(self):
        self.bind(DEST)
        self.refused(500, self.update, DEST)
        self.assertEqual({SRC: 'ACTIVE', DEST: 'INACTIVE'}, self.bindings())

    def test_unbound(self):
        self.update(None)
        self.assertEqual({}, self.bindings())
        self.update(None)
        self.update(DEST)
        self.assertEqual({DEST: 'ACTIVE'}, self.bindings())

    def test_a_list_has_every_binding_of_a_host(self):
        self.bind(DEST)
        for host, ports in ((SRC, [self.port]), (DEST, [self.port]),
                            ('other', [])):
            self.assertEqual(ports, [
                port['id'] for port in self.client.list_ports(
                    device_id=uuids.server,
                    **{'binding:host_id': host})['ports']])

    def test_a_deleted_port(self):
        self.bind(DEST)
        self.client.delete_port(self.port)
        self.assertEqual({}, self.neutron.bindings(uuids.server))
        self.refused(404, self.client.delete_port, self.port)
        self.refused(404, self.bind, DEST)
        self.refused(404, self.update, DEST)

    def test_outage(self):
        self.neutron.outage.begin('create_port_binding')
        self.assertRaises(keystone_exceptions.ConnectFailure, self.bind, DEST)
        self.refused(409, self.activate, SRC)
        self.neutron.outage.end()
        self.bind(DEST)
