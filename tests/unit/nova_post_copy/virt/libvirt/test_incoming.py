# SPDX-License-Identifier: Apache-2.0

import fixtures
from nova import test

from nova_post_copy.virt.libvirt import incoming
from tests.unit.nova_post_copy.virt.libvirt import sockets

UUID = '6f2d2a1c-0a4e-4b5d-9f3c-2f1f0f0b7a11'
OTHER = 'c3a1a3d6-4cd1-4a7e-8a5b-0c6f6a1b2e22'

SOURCE = '192.0.2.1'
STREAM = ('192.0.2.2:49152', '192.0.2.1:39596')


class BreakDeadTestCase(test.NoDBTestCase):

    def setUp(self) -> None:
        super().setUp()
        self.sockets = self.useFixture(sockets.Sockets())

    def _line(self, local=STREAM[0], peer=STREAM[1], users='', silent=9000,
              received=1 << 20):
        return sockets.line(
            local, peer, users,
            info='bytes_received:%d lastrcv:%d' % (received, silent))

    def _break(self, sources=(SOURCE,), others=()):
        return incoming.break_dead(UUID, sources, others)

    def _assert_left_alone(self, **kwargs):
        self.assertEqual(0, self._break(**kwargs))
        self.assertEqual([], self.sockets.ended)


class BreakDeadTest(BreakDeadTestCase):

    def setUp(self) -> None:
        super().setUp()
        self.qemu = sockets.user('qemu-system-x86', self.useFixture(
            sockets.Process(UUID)).pid)

    def _line(self, *args, users=None, **kwargs):
        return super()._line(*args, users=users or self.qemu, **kwargs)

    def test_dead_stream(self):
        self.sockets.lines = self._line(silent=3000, received=1 << 16)

        self.assertEqual(1, self._break())
        self.assertEqual([STREAM], self.sockets.ended)

    def test_over_ipv6(self):
        for local, peer, source in (
                ('[::ffff:192.0.2.2]:49152', '[::ffff:192.0.2.1]:39596',
                 SOURCE),
                ('[fe80::2%eth0]:49152', '[fe80::1%eth0]:39596', 'fe80::1')):
            self.sockets.lines = self._line(local, peer)
            self.assertEqual(1, self._break([source]))

    def test_others_are_left_alone(self):
        other = self.useFixture(sockets.Process(OTHER)).pid
        self.sockets.lines = (
            # It lives, it was resumed in the meantime; or is about to be.
            self._line(silent=2999) + self._line(received=65535)
            # Its console; its disk in the network.
            + self._line('192.0.2.2:5900', '192.0.2.9:40000')
            + self._line('192.0.2.2:40001', '192.0.2.1:6800')
            # Another server on its way to this host.
            + self._line(users=sockets.user('qemu-system-x86', other)))

        self._assert_left_alone()

    def test_disk_in_the_network_on_a_port_of_the_range(self):
        # ss ended a stream of the same QEMU that is no migration.
        self.sockets.lines = self._line(peer='192.0.2.7:6800')

        self._assert_left_alone()

    def test_older_source(self):
        self.sockets.lines = self._line() + sockets.line(
            '192.0.2.2:49153', STREAM[1],
            info='bytes_received:99999 lastrcv:9000')

        self.assertEqual(1, self._break(sources=None))
        self.assertEqual([STREAM], self.sockets.ended)

    def test_ports_of_the_operator(self):
        self.flags(migration_ports='61152-61215', group='post_copy')
        self.sockets.lines = self._line() + ''.join(
            self._line('192.0.2.2:%d' % port)
            for port in (61151, 61152, 61215, 61216))

        self.assertEqual(2, self._break())
        self.assertEqual(['192.0.2.2:61152', '192.0.2.2:61215'],
                         [local for local, _peer in self.sockets.ended])


class HiddenProcessesTest(BreakDeadTestCase):
    """nova-compute in a container with a PID namespace of its own."""

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.ports.ephemeral_ports',
            lambda: range(32768, 61000)))

    def test_stream_of_the_only_guest(self):
        # With parallel connections there are more, to one port.
        self.sockets.lines = self._line() + self._line(
            peer='192.0.2.1:39600') + self._line(silent=0)

        self.assertEqual(2, self._break())
        self.assertEqual([STREAM, (STREAM[0], '192.0.2.1:39600')],
                         self.sockets.ended)

    def test_connections_that_this_host_has_made_are_left_alone(self):
        # To a disk, and of a migration in the other direction.
        self.sockets.lines = (self._line(peer='192.0.2.1:6800')
                              + self._line(peer='192.0.2.1:49160'))

        self._assert_left_alone()

    def test_ambiguous_streams_are_left_alone(self):
        self.sockets.lines = self._line()
        self._assert_left_alone(others=[OTHER])
        self._assert_left_alone(sources=None)

        self.sockets.lines += self._line('192.0.2.2:49153')
        self._assert_left_alone()

    def test_visible_process_is_believed(self):
        other = sockets.user('qemu-system-x86', self.useFixture(
            sockets.Process(OTHER)).pid)
        self.sockets.lines = self._line(users=other)

        self._assert_left_alone()
