# SPDX-License-Identifier: Apache-2.0

import socket

import testtools

from lab.instruments import heartbeat
from lab.instruments import record
from lab import wait


class HeartbeatTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.now = 0.0
        self.heartbeat = heartbeat.Heartbeat(clock=lambda: self.now)
        self.addCleanup(self.heartbeat.stop)

    def console(self):
        """A console that somebody listens to: its end in the guest."""
        server = socket.create_server(('127.0.0.1', 0))
        self.addCleanup(server.close)
        server.settimeout(5)
        self.heartbeat.follow(server.getsockname())
        return server, self.accept(server)

    def accept(self, server):
        guest, _ = server.accept()
        self.addCleanup(guest.close)
        return guest

    def say(self, guest, text, beats):
        guest.sendall(text)
        wait.until(lambda: len(self.heartbeat.samples()) == beats,
                   'heartbeat', 5, interval=0.01)

    def test_never_heard(self):
        self.assertEqual([], self.heartbeat.samples())
        self.assertEqual(float('inf'), self.heartbeat.silence())
        self.assertEqual(0, self.heartbeat.rate())

    def test_beats_are_stamped_and_added_up(self):
        _, guest = self.console()
        self.say(guest, b'00000010 00000000\n', 1)
        self.now = 0.5
        self.say(guest, b'00000013 00000000\n', 2)
        self.assertEqual([record.Sample(0.0, 16 * heartbeat.BEAT_BYTES),
                          record.Sample(0.5, 19 * heartbeat.BEAT_BYTES)],
                         self.heartbeat.samples())
        self.assertEqual(3 * heartbeat.BEAT_BYTES, self.heartbeat.rate(1.0))
        self.now = 0.75
        self.assertEqual(0.25, self.heartbeat.silence())

    def test_lines_in_pieces(self):
        _, guest = self.console()
        self.say(guest, b'0002 00000000\n00000003 0000', 0)
        self.say(guest, b'0000\n0000', 1)
        # What a guest says of its last line on the other host.
        _, destination = self.console()
        self.say(destination, b'0004 00000000\n00000005 00000000\n', 2)
        self.assertEqual([3, 5], [sample.work // heartbeat.BEAT_BYTES
                                  for sample in self.heartbeat.samples()])
        self.assertEqual(0, self.heartbeat.setbacks)

    def test_wrong_pages(self):
        _, guest = self.console()
        self.say(guest, b'00000010 0000001f\n', 1)
        self.assertEqual(31, self.heartbeat.wrong_pages)

    def test_a_second_copy_is_seen(self):
        _, source = self.console()
        _, destination = self.console()
        self.say(source, b'00000010 00000000\n', 1)
        self.say(destination, b'00000011 00000000\n', 2)
        self.assertEqual(0, self.heartbeat.setbacks)
        self.say(source, b'00000011 00000000\n', 3)
        self.assertEqual(1, self.heartbeat.setbacks)

    def test_a_console_is_opened_again(self):
        server, guest = self.console()
        self.say(guest, b'00000010 00000000\n', 1)
        guest.close()
        self.say(self.accept(server), b'00000030 00000000\n', 2)
        self.assertEqual(0x30, self.heartbeat.samples()[-1].work
                         // heartbeat.BEAT_BYTES)

    def test_a_console_that_is_not_there_yet(self):
        with socket.create_server(('127.0.0.1', 0)) as probe:
            address = probe.getsockname()
        self.heartbeat.follow(address)
        server = socket.create_server(address)
        self.addCleanup(server.close)
        server.settimeout(5)
        self.say(self.accept(server), b'00000001 00000000\n', 1)
