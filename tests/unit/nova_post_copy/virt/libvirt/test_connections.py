# SPDX-License-Identifier: Apache-2.0

import pathlib

from nova import test
from oslo_concurrency import processutils

from nova_post_copy.virt.libvirt import connections
from tests.unit.nova_post_copy.virt.libvirt import sockets


class ConnectionsTest(test.NoDBTestCase):

    def setUp(self) -> None:
        super().setUp()
        self.sockets = self.useFixture(sockets.Sockets())

    def test_find(self):
        qemu = self.useFixture(sockets.Process('uuid')).pid
        self.sockets.lines = (
            sockets.line(
                '192.0.2.1:40004', '192.0.2.2:16509',
                sockets.user('libvirtd', 7), 'on,11sec,5',
                'bytes_received:9001 lastsnd:12 lastrcv:24500 lastack:24470')
            + sockets.line(
                '[::ffff:192.0.2.1]:49153', '[2001:db8::2]:58150',
                ','.join([sockets.user('qemu-system-x86', qemu),
                          # It has ended meanwhile.
                          sockets.user('sh', 2 ** 22 + 1)]),
                'keepalive,92min,0')
            + sockets.line('192.0.2.1:40005', '192.0.2.2:16514',
                           timer='on,1.2sec,2', state='SYN-SENT'))

        self.assertEqual([
            ('ESTAB', '192.0.2.1:40004', '192.0.2.2:16509', 24.5, 9001, 5,
             (('libvirtd', ''),)),
            ('ESTAB', '[::ffff:192.0.2.1]:49153', '[2001:db8::2]:58150',
             0.0, 0, 0, (('qemu-system-x86', 'uuid'), ('sh', ''))),
            ('SYN-SENT', '192.0.2.1:40005', '192.0.2.2:16514', 0.0, 0, 2,
             ())],
            connections.find())

    def test_ends(self):
        self.sockets.lines = ''.join(
            sockets.line('192.0.2.1:40004', peer) for peer in (
                '192.0.2.2:16509', '[2001:db8::2]:16514',
                '[::ffff:192.0.2.2]:7', '[fe80::1%eth0]:8'))

        self.assertEqual(
            [('192.0.2.2', 16509), ('2001:db8::2', 16514), ('192.0.2.2', 7),
             ('fe80::1', 8)],
            [(found.peer_address, found.peer_port)
             for found in connections.find()])
        self.assertEqual({40004}, {found.local_port
                                   for found in connections.find()})

    def test_plain(self):
        for address, plain in (
                ('192.0.2.2', '192.0.2.2'), ('::ffff:192.0.2.2', '192.0.2.2'),
                ('2001:0db8::2', '2001:db8::2'), ('fe80::1%eth0', 'fe80::1')):
            self.assertEqual(plain, connections.plain(address))

    def test_visible_processes(self):
        name = pathlib.Path('/proc/self/comm').read_text().strip()
        self.assertTrue(connections.processes_are_visible((name, 'nobody')))
        self.assertFalse(connections.processes_are_visible(('nobody',)))

    def test_end(self):
        self.sockets.lines = sockets.line('192.0.2.1:1', '192.0.2.2:2')
        connections.end(connections.find())

        self.assertEqual([('192.0.2.1:1', '192.0.2.2:2')],
                         self.sockets.ended)

    def test_kernel_that_cannot_end_them(self):
        self.sockets.lines = sockets.line('192.0.2.1:1', '192.0.2.2:2')
        self.sockets.errors[True] = processutils.ProcessExecutionError()
        connections.end(connections.find())

        self.assertEqual([], self.sockets.ended)

    def test_without_the_program(self):
        self.assertEqual('', connections.error())
        for error in (FileNotFoundError('ss'),
                      processutils.ProcessExecutionError()):
            self.sockets.errors[False] = error
            self.assertEqual([], connections.find())
            self.assertEqual(str(error), connections.error())
