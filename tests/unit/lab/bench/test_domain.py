# SPDX-License-Identifier: Apache-2.0

import xml.etree.ElementTree

import testtools

from lab.bench import domain
from lab import layout

SERVER = '''
<domain type="qemu" id="7">
  <name>instance-00000001</name>
  <uuid>5a7b1f0e-28cb-4f7e-a1a9-1c2d3e4f5061</uuid>
  <metadata><nova:instance xmlns:nova="http://openstack.org/nova"/></metadata>
  <memory unit="KiB">524288</memory>
  <sysinfo type="smbios">
    <system>
      <entry name="uuid">5a7b1f0e-28cb-4f7e-a1a9-1c2d3e4f5061</entry>
    </system>
  </sysinfo>
  <os>
    <type arch="x86_64" machine="q35">hvm</type>
    <smbios mode="sysinfo"/>
  </os>
  <devices>
    <disk type="file" device="disk">
      <source file="/instances/5a7b1f0e-28cb-4f7e-a1a9-1c2d3e4f5061/disk"/>
      <target dev="vda" bus="virtio"/>
    </disk>
    <serial type="tcp">
      <source mode="bind" host="198.18.90.11" service="10000"/>
      <log file="/instances/5a7b1f0e-28cb-4f7e-a1a9-1c2d3e4f5061/console"/>
    </serial>
  </devices>
</domain>
'''
IDENTITY = 'e7b1a7a0-4f3a-4d39-9b1d-0a4d1c6f2b11'


class DomainTestCase(testtools.TestCase):

    def test_nothing_of_the_server_is_left(self):
        text = domain.description(SERVER, IDENTITY)
        for theirs in ('5a7b1f0e', 'instance-00000001', 'nova', 'smbios',
                       'id="7"', '198.18.90.11', '10000', '<log'):
            self.assertNotIn(theirs, text)

    def test_is_the_same_machine(self):
        found = xml.etree.ElementTree.fromstring(
            domain.description(SERVER, IDENTITY))
        self.assertEqual(IDENTITY, found.findtext('uuid'))
        self.assertEqual('524288', found.findtext('memory'))
        self.assertEqual('q35', found.find('os/type').get('machine'))
        self.assertEqual(
            str(layout.INSTANCES / 'bench-bare/disk'),
            found.find('devices/disk/source').get('file'))
        self.assertEqual(
            {'mode': 'bind', 'host': '0.0.0.0',
             'service': str(domain.CONSOLE)},
            found.find('devices/serial/source').attrib)

    def test_command(self):
        command = domain.command(layout.HOSTS[1], 200 * layout.MIB)
        self.assertEqual(['virsh', 'migrate', 'bench-bare',
                          'qemu+tcp://198.18.91.12/system'], command[:4])
        self.assertIn('--postcopy-after-precopy', command)
        self.assertEqual(['--bandwidth', '200'], command[-2:])
