# SPDX-License-Identifier: Apache-2.0

"""The devices of a simulated domain keep what Nova looks for."""

from lxml import etree
from nova import test
from nova.tests.fixtures import libvirt as fake
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import hosts
from lab.simulation import libvirt
from lab.simulation import libvirtd

DISK = """<disk type='block' device='disk'><driver name='qemu' type='raw'/>
<source dev='/dev/%s'/><target dev='%s' bus='virtio'/><serial>%s</serial>
<alias name='ua-%s'/></disk>"""
XML = """<domain type='kvm'><name>instance-1</name><uuid>%s</uuid>
<memory>524288</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os>
<devices>%s</devices></domain>""" % (
    uuids.server, DISK % ('one', 'vda', uuids.first, uuids.first))


class TestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        cloud = hosts.Hosts(1 << 30)
        self.addCleanup(cloud.close)
        daemon = libvirtd.Libvirtd(cloud, hostname='src')
        self.domain = daemon.defineXML(XML)
        self.domain.createWithFlags(0)
        self.removed = []
        libvirt.Connection(daemon).domainEventRegisterAny(
            None, fake.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED,
            lambda conn, dom, alias, opaque: self.removed.append(alias), None)
        self.daemon = daemon

    def serials(self):
        return [element.text for element in etree.fromstring(
            self.domain.XMLDesc()).findall('./devices/disk/serial')]

    def test_serials(self):
        self.assertEqual([uuids.first], self.serials())
        self.domain.attachDevice(
            DISK % ('two', 'vdb', uuids.second, uuids.second))
        self.assertEqual([uuids.first, uuids.second], self.serials())
        self.assertEqual({'/dev/one', '/dev/two'}, self.domain.disk_sources())

    def test_detached(self):
        self.domain.detachDeviceFlags(
            DISK % ('one', 'vda', uuids.first, uuids.first), 0)
        self.daemon.wait_for_delivery()
        self.assertEqual(['ua-' + uuids.first], self.removed)
        self.assertEqual(set(), self.domain.disk_sources())

    def test_size(self):
        self.assertIsNone(self.domain.disk_size(uuids.first))
        self.domain.blockResize(
            '/dev/one', 1 << 30, fake.VIR_DOMAIN_BLOCK_RESIZE_BYTES)
        self.assertEqual(1 << 30, self.domain.disk_size(uuids.first))
