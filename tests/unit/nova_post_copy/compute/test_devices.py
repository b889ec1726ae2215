# SPDX-License-Identifier: Apache-2.0

from nova.network import model
from nova.objects import migrate_data
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import devices
from tests.unit.nova_post_copy.compute import base
from tests.unit.nova_post_copy.compute import records


class TestDevices(base.ReconcileTestCase):

    def setUp(self):
        super().setUp()
        self.ports = ['port']
        self.network.list_ports = lambda context, id, fields: {
            'ports': [{'id': port} for port in self.ports if port == id]}
        self.instance.info_cache.network_info = model.NetworkInfo()
        self.kept = records.make(self.instance.uuid)
        self.kept.migrate_data.vifs = [migrate_data.VIFMigrateData(
            port_id='port', vnic_type='normal', vif_type='ovs', host='dest',
            vif_details={}, profile={}, source_vif=model.VIF(id='port'))]

    def settle(self):
        devices.settle(self.manager, self.context, self.instance, self.kept)
        return self.outside.done

    def test_nothing_has_happened(self):
        self.assertEqual([], self.settle())

    def test_on_the_destination(self):
        self.ports = []
        self.volumes.size = 3
        self.change(host='dest')
        self.assertEqual(
            [('tell', 'dest', [('network-vif-deleted', 'port'),
                               ('volume-extended', uuids.volume)])],
            self.settle())

    def test_here(self):
        self.volumes.size = 3
        self.assertEqual(
            [('happened', [('volume-extended', uuids.volume)])],
            self.settle())

    def test_port_is_found_in_the_cache(self):
        # Whoever handles the event looks it up there.
        self.ports = []
        for _time in range(2):
            self.settle()
            self.assertEqual(['port'], [
                vif['id'] for vif in self.instance.get_network_info()])

    def test_without_ports(self):
        del self.kept.migrate_data.vifs
        self.ports = []
        self.assertEqual([], self.settle())

    def test_cinder_does_not_answer(self):
        self.outside.error = 'get volume'
        self.assertRaises(test.TestingException, self.settle)
