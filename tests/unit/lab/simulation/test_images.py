# SPDX-License-Identifier: Apache-2.0

"""The simulated disks are there, and nobody takes one from a guest."""

import os

import fixtures
from nova import test
from nova.tests.fixtures import libvirt as fake
from nova.virt.libvirt import imagebackend
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import hosts
from lab.simulation import images
from lab.simulation import libvirtd

IMAGE = uuids.server + '_disk'
XML = """<domain type='kvm'><name>instance-1</name><uuid>%s</uuid>
<memory>524288</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os>
<devices><disk type='%s' device='disk'><driver name='qemu' type='raw'/>
<source %s/><target dev='vda' bus='virtio'/></disk></devices></domain>"""


class TestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.cloud = hosts.Hosts(1 << 30)
        self.addCleanup(self.cloud.close)
        self.source, self.target = (
            libvirtd.Libvirtd(self.cloud, hostname=host)
            for host in ('src', 'dest'))
        self.images = self.useFixture(images.Images(self.cloud))
        self.images.pool.add(IMAGE)

    def define(self, daemon, kind, source, server=uuids.server):
        return daemon.defineXML(XML % (server, kind, source))

    def rbd(self, daemon, server=uuids.server):
        return self.define(daemon, 'network', "protocol='rbd' name='%s/%s'" % (
            images.POOL, IMAGE), server)

    def violations(self):
        return [violation.what for violation in self.cloud.violations]

    def test_answers_of_the_backends(self):
        for kind, shared, in_path in (('rbd', True, False),
                                      ('raw', False, True),
                                      ('qcow2', False, True)):
            backend = imagebackend.Backend(False).backend(kind)
            self.assertEqual(
                (shared, in_path), (backend.is_shared_block_storage(),
                                    backend.is_file_in_instance_path()))

    def test_an_image_that_is_not_open(self):
        self.rbd(self.source)
        self.images.remove(IMAGE)
        self.assertEqual((set(), []), (self.images.pool, self.violations()))

    def test_an_image_that_a_guest_needs(self):
        self.rbd(self.source).createWithFlags(0)
        self.images.remove(IMAGE)
        self.assertEqual({IMAGE}, self.images.pool)
        self.assertEqual(
            ['None removes image %s, which server %s needs on src' % (
                IMAGE, uuids.server)], self.violations())

    def test_two_writers(self):
        self.rbd(self.source).createWithFlags(0)
        self.rbd(self.target, uuids.other).createWithFlags(0)
        self.assertEqual(
            ['rbd:vms/%s is written by server %s on dest and by server %s on '
             'src' % (IMAGE, uuids.other, uuids.server)], self.violations())

    def test_no_start_without_the_disk(self):
        self.images.pool.clear()
        error = self.assertRaises(fake.libvirtError, self.rbd(
            self.source).createWithFlags, 0)
        self.assertIn('Cannot access storage file', str(error))

    def test_a_file_that_is_lost(self):
        disk = os.path.join(self.useFixture(fixtures.TempDir()).path, 'disk')
        with open(disk, 'w'):
            domain = self.define(self.source, 'file', "file='%s'" % disk)
        domain.createWithFlags(0)
        self.assertEqual([], self.cloud.disks.missing())
        os.remove(disk)
        self.assertEqual(
            ['src lacks %s, which server %s needs' % (disk, uuids.server)],
            self.cloud.disks.missing())
