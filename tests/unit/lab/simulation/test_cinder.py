# SPDX-License-Identifier: Apache-2.0

"""The simulated Cinder refuses, and knows what a guest needs."""

from cinderclient import exceptions as cinder_exception
import fixtures
from nova import context
from nova import exception
from nova import test
from nova.volume import cinder as nova_cinder
from os_brick.initiator.connectors import iscsi
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import cinder
from lab.simulation import hosts
from lab.simulation import libvirtd
from lab.simulation import processes

XML = """<domain type='kvm'><name>instance-1</name><uuid>%s</uuid>
<memory>524288</memory><vcpu>1</vcpu><os><type arch='x86_64'>hvm</type></os>
<devices><disk type='block' device='disk'>
<driver name='qemu' type='raw'/><source dev='%s'/>
<target dev='vda' bus='virtio'/><serial>%s</serial></disk></devices>
</domain>"""


class TestCase(test.NoDBTestCase):
    def setUp(self):
        super().setUp()
        self.cloud = hosts.Hosts(1 << 30)
        self.addCleanup(self.cloud.close)
        self.daemons = {host: libvirtd.Libvirtd(self.cloud, hostname=host)
                        for host in ('src', 'dest')}
        self.cinder = self.useFixture(cinder.Cinder(self, self.cloud))
        self.context = context.RequestContext('user', 'project',
                                              auth_token='token')
        self.volume = self.cinder.new_volume()

    def create(self, host, server=uuids.server):
        return self.cinder.fake_attachment_create(
            self.context, self.volume, server, {'host': host})

    def delete(self, attachment):
        self.cinder.fake_attachment_delete(self.context, attachment['id'])

    def brick(self, host, does, attachment):
        connector = iscsi.ISCSIConnector.__new__(iscsi.ISCSIConnector)
        arguments = [attachment['connection_info']['data']]
        if does == 'disconnect_volume':
            arguments.append(None)
        folder = self.useFixture(fixtures.TempDir()).path
        with processes.Process(host, folder, folder):
            return getattr(connector, does)(*arguments)

    def violations(self):
        return [violation.what for violation in self.cloud.violations]

    def status(self):
        return self.cinder.fake_get(self.context, self.volume)['status']


class TestAttachments(TestCase):
    def test_status_of_the_volume(self):
        self.assertEqual('available', self.status())
        attachment = self.cinder.fake_attachment_create(
            self.context, self.volume, uuids.server)
        self.assertEqual('reserved', self.status())
        self.cinder.fake_attachment_update(
            self.context, attachment['id'], {'host': 'src'})
        self.assertEqual('attaching', self.status())
        self.cinder.fake_attachment_complete(self.context, attachment['id'])
        self.assertEqual('in-use', self.status())
        self.delete(attachment)
        self.assertEqual('available', self.status())

    def test_a_second_one_on_another_host(self):
        self.create('src')
        self.create('dest')
        self.assertEqual({'src': 'attaching', 'dest': 'attaching'},
                         self.cinder.attached(self.volume))

    def test_a_volume_shows_what_is_complete(self):
        complete = self.create('src')
        self.cinder.fake_attachment_complete(self.context, complete['id'])
        self.create('dest')
        for asking, host in ((self.context, None),
                             (context.get_admin_context(), 'src')):
            (shown,) = nova_cinder.cinderclient(asking).volumes.get(
                self.volume).attachments
            self.assertEqual(
                (complete['id'], uuids.server, host),
                (shown['attachment_id'], shown['server_id'],
                 shown['host_name']))

    def test_none_for_another_server(self):
        self.create('src')
        self.assertRaises(exception.InvalidInput, self.create, 'dest',
                          uuids.other)

    def test_no_update_of_a_second_one(self):
        self.create('src')
        second = self.cinder.fake_attachment_create(
            self.context, self.volume, uuids.server)
        self.assertRaises(
            exception.InvalidInput, self.cinder.fake_attachment_update,
            self.context, second['id'], {'host': 'dest'})

    def test_what_is_gone_is_deleted_quietly(self):
        attachment = self.create('src')
        self.delete(attachment)
        self.delete(attachment)

    def test_a_lun_means_something_on_its_host_only(self):
        first, second = self.create('src'), self.create('dest')
        self.assertNotEqual(first['connection_info']['data']['target_lun'],
                            second['connection_info']['data']['target_lun'])
        self.brick('dest', 'disconnect_volume', first)
        self.assertEqual(
            ['dest disconnects LUN 1, a volume of another server'],
            self.violations())

    def test_outage(self):
        self.cinder.outage.begin('attachment_delete', times=1)
        attachment = self.create('src')
        self.assertRaises(cinder_exception.ClientException, self.delete,
                          attachment)
        self.delete(attachment)
        self.assertEqual({}, self.cinder.attached(self.volume))

    def test_without_a_token(self):
        self.cinder.needs_token = True
        self.create('src')
        self.context = context.get_admin_context()
        self.assertRaises(cinder_exception.Unauthorized, self.create, 'dest')


class TestNeeded(TestCase):
    def setUp(self):
        super().setUp()
        self.attachment = self.create('src')
        device = self.brick('src', 'connect_volume', self.attachment)
        self.domain = self.daemons['src'].defineXML(
            XML % (uuids.server, device['path'], self.volume))
        self.domain.createWithFlags(0)

    def test_all_is_well(self):
        self.assertEqual([], self.cinder.unattached())
        self.assertEqual([], self.cloud.disks.missing())
        self.domain.destroy()
        self.brick('src', 'disconnect_volume', self.attachment)
        self.delete(self.attachment)
        self.assertEqual([], self.cinder.unattached())
        self.assertEqual([], self.cloud.disks.missing())
        self.assertEqual([], self.violations())

    def test_disconnected(self):
        self.brick('src', 'disconnect_volume', self.attachment)
        self.assertEqual(
            ['LUN 1 (volume %s) is disconnected on src, where server %s needs '
             'it' % (self.volume, uuids.server)], self.violations())
        self.assertEqual(1, len(self.cloud.disks.missing()))

    def test_free_while_the_guest_runs(self):
        self.delete(self.attachment)
        self.assertEqual(
            ['LUN 1 (volume %s) is withdrawn from src, where server %s needs '
             'it' % (self.volume, uuids.server)], self.violations())
        self.assertEqual(1, len(self.cinder.unattached()))
