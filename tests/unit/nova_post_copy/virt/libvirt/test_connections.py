# SPDX-License-Identifier: Apache-2.0

from nova import test
from oslo_concurrency import processutils

from nova_post_copy.virt.libvirt import connections
from tests.unit.nova_post_copy.virt.libvirt import sockets


class ConnectionsTest(test.NoDBTestCase):

    def setUp(self) -> None:
        super().setUp()
        self.sockets = self.useFixture(sockets.Sockets())

    def test_find(self):
        self.sockets.lines = (
            sockets.line(
                '192.0.2.1:40004', '192.0.2.2:16509',
                sockets.user('libvirtd', 7), 'on,11sec,5',
                'bytes_received:9001 lastsnd:12 lastrcv:24500 lastack:24470')
            + sockets.line(
                '[::ffff:192.0.2.1]:49153', '[2001:db8::2]:58150',
                ','.join([sockets.user('qemu-system-x86', 8),
                          sockets.user('sh', 9)]), 'keepalive,92min,0')
            + sockets.line('192.0.2.1:40005', '192.0.2.2:16514',
                           timer='on,1.2sec,2', state='SYN-SENT'))

        self.assertEqual([
            ('192.0.2.1:40004', '192.0.2.2:16509', 24.5, 9001, 5,
             (('libvirtd', 7),)),
            ('[::ffff:192.0.2.1]:49153', '[2001:db8::2]:58150', 0.0, 0, 0,
             (('qemu-system-x86', 8), ('sh', 9))),
            ('192.0.2.1:40005', '192.0.2.2:16514', 0.0, 0, 2, ())],
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

    def test_is_of_qemu(self):
        uuid, other = (self.useFixture(sockets.Process(name)).pid
                       for name in ('uuid', 'other'))
        self.sockets.lines = ''.join(
            sockets.line('192.0.2.1:1', '192.0.2.2:2',
                         sockets.user('qemu-system-x86', pid))
            # The last one has ended meanwhile.
            for pid in (uuid, other, 2 ** 22 + 1))

        self.assertEqual([True, False, False],
                         [found.is_of_qemu('uuid')
                          for found in connections.find()])

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
        for error in (FileNotFoundError(),
                      processutils.ProcessExecutionError()):
            self.sockets.errors[False] = error
            self.assertEqual([], connections.find())
