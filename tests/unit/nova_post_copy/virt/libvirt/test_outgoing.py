# SPDX-License-Identifier: Apache-2.0

import socket

import fixtures
from nova import test

from nova_post_copy.virt.libvirt import outgoing
from tests.unit.nova_post_copy.virt.libvirt import sockets

CALL = ('192.0.2.1:40004', '192.0.2.2:16509')


class EndDeadTest(test.NoDBTestCase):

    def setUp(self) -> None:
        super().setUp()
        self.sockets = self.useFixture(sockets.Sockets())

    def _line(self, peer=CALL[1], program='libvirtd', timer='on,1.6sec,3',
              silent=3000, **kwargs):
        return sockets.line(
            CALL[0], peer, sockets.user(program, 7), timer,
            'lastrcv:%d' % silent, **kwargs)

    def test_dead_call(self):
        self.sockets.lines = self._line()

        self.assertEqual(1, outgoing.end_dead('192.0.2.2', 16509))
        self.assertEqual([CALL], self.sockets.ended)

    def test_daemon_of_qemu_over_ipv6(self):
        self.sockets.lines = self._line(
            '[2001:db8::2]:16514', program='virtqemud')

        self.assertEqual(1, outgoing.end_dead('2001:db8::2', 16514))

    def test_that_libvirt_is_about_to_make(self):
        # To the other libvirt, and of the stream for QEMU.
        self.sockets.lines = (
            self._line(state='SYN-SENT', silent=25804936)
            + self._line('192.0.2.2:49153', state='SYN-SENT'))

        self.assertEqual(2, outgoing.end_dead('192.0.2.2', 16509))

    def test_name(self):
        self.useFixture(fixtures.MonkeyPatch(
            'socket.getaddrinfo', lambda host, port, type: [
                (socket.AF_INET6, type, 6, '', ('2001:db8::2', 0, 0, 0)),
                (socket.AF_INET, type, 6, '', ('192.0.2.2', 0))]))
        self.sockets.lines = self._line()

        self.assertEqual(1, outgoing.end_dead('dest', 16509))

    def test_name_that_is_not_known(self):
        self.sockets.lines = self._line()

        self.assertEqual(0, outgoing.end_dead('dest.invalid', 16509))

    def test_others_are_left_alone(self):
        self.sockets.lines = (
            # They live: an answer has come, TCP tries no more, or not yet
            # for long.
            self._line(silent=2999) + self._line(timer='')
            + self._line(timer='on,1.6sec,2')
            + self._line(timer='keepalive,92min,0')
            # Another host; another port; another program.
            + self._line('192.0.2.3:16509') + self._line('192.0.2.2:5672')
            + self._line(program='virsh')
            + self._line('192.0.2.2:49153', program='qemu-system-x86'))

        self.assertEqual(0, outgoing.end_dead('192.0.2.2', 16509))
        self.assertEqual([], self.sockets.ended)

    def _hidden(self, peer, state='ESTAB'):
        return sockets.line(CALL[0], peer, timer='on,1.6sec,3',
                            info='lastrcv:3000', state=state)

    def test_processes_that_cannot_be_seen(self):
        for peer, state, port, ended in (
                (CALL[1], 'ESTAB', 16509, 1),
                ('192.0.2.2:49153', 'SYN-SENT', 16509, 1),
                # QEMU's stream, of this migration or another one.
                ('192.0.2.2:49153', 'ESTAB', 16509, 0),
                # Anybody's session.
                ('192.0.2.2:22', 'ESTAB', 22, 0),
                ('192.0.2.2:22', 'SYN-SENT', 22, 0)):
            self.sockets.lines = self._hidden(peer, state)
            self.assertEqual(ended, outgoing.end_dead('192.0.2.2', port),
                             (peer, state))


class OwnAddressesTest(test.NoDBTestCase):

    def test_on_the_way(self):
        self.assertEqual(['127.0.0.1', '::1'], outgoing.own_addresses(
            ['127.0.0.1', '::1', 'dest.invalid']))
