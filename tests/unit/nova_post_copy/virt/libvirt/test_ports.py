# SPDX-License-Identifier: Apache-2.0

from nova import test

from nova_post_copy.virt.libvirt import ports
from tests.unit.nova_post_copy.virt.libvirt import sockets


class MigrationPortsTest(test.NoDBTestCase):

    def setUp(self) -> None:
        super().setUp()
        self.qemu_conf = self.useFixture(sockets.Sockets()).qemu_conf

    def _assert_ports(self, first, last, known=True):
        self.assertEqual(range(first, last + 1), ports.migration_ports())
        self.assertEqual(known, ports.are_known())

    def test_nobody_says(self):
        self._assert_ports(49152, 49215, known=False)

    def test_qemu_conf(self):
        self.qemu_conf.write_text(
            '#migration_port_min = 1\nmigration_port_min = 61152\n'
            '  migration_port_max=61215\nmigration_host = "host.example"\n')
        self._assert_ports(61152, 61215)

    def test_qemu_conf_that_keeps_the_default(self):
        self.qemu_conf.write_text('#migration_port_min = 1\n')
        self._assert_ports(49152, 49215)

    def test_operator(self):
        self.qemu_conf.write_text('migration_port_min = 61152\n')
        self.flags(migration_ports='50000-50001', group='post_copy')
        self._assert_ports(50000, 50001)

    def test_ephemeral(self):
        found = ports.ephemeral_ports()
        self.assertLess(1023, found[0])
        self.assertLess(found[0], found[-1])
