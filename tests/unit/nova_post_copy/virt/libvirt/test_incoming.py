# SPDX-License-Identifier: Apache-2.0

from nova import test
from nova.tests import fixtures as nova_fixtures

from nova_post_copy.virt.libvirt import incoming
from tests.unit.nova_post_copy.virt.libvirt import sockets

UUID = '6f2d2a1c-0a4e-4b5d-9f3c-2f1f0f0b7a11'
OTHER = 'c3a1a3d6-4cd1-4a7e-8a5b-0c6f6a1b2e22'

STREAM = ('192.0.2.2:49152', '192.0.2.1:39596')


class BreakDeadTest(test.NoDBTestCase):

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(nova_fixtures.PrivsepFixture())
        self.qemu = self.useFixture(sockets.Process(UUID)).pid
        self.sockets = self.useFixture(sockets.Sockets())

    def _line(self, local=STREAM[0], peer=STREAM[1], pid=None, silent=9000,
              received=1 << 20):
        return sockets.line(
            local, peer, sockets.user('qemu-system-x86', pid or self.qemu),
            info='bytes_received:%d lastrcv:%d' % (received, silent))

    def test_dead_stream(self):
        self.sockets.lines = self._line(silent=3000, received=1 << 16)

        self.assertEqual(1, incoming.break_dead(UUID))
        self.assertEqual([STREAM], self.sockets.ended)

    def test_others_are_left_alone(self):
        self.sockets.lines = (
            # It lives, it was resumed in the meantime; or is about to be.
            self._line(silent=2999) + self._line(received=65535)
            # Its console; its disk in the network.
            + self._line('192.0.2.2:5900', '192.0.2.9:40000')
            + self._line('192.0.2.2:40001', '192.0.2.1:6800')
            # Another server on its way to this host; nobody that we know.
            + self._line(pid=self.useFixture(sockets.Process(OTHER)).pid)
            + sockets.line(*STREAM, info='bytes_received:99999 lastrcv:9000'))

        self.assertEqual(0, incoming.break_dead(UUID))
        self.assertEqual([], self.sockets.ended)

    def test_ports_of_the_operator(self):
        self.flags(migration_ports='61152-61215', group='post_copy')
        self.sockets.lines = self._line() + ''.join(
            self._line('192.0.2.2:%d' % port)
            for port in (61151, 61152, 61215, 61216))

        self.assertEqual(2, incoming.break_dead(UUID))
        self.assertEqual(['192.0.2.2:61152', '192.0.2.2:61215'],
                         [local for local, _peer in self.sockets.ended])
