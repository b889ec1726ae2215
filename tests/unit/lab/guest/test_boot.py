# SPDX-License-Identifier: Apache-2.0

"""The boot sector, run by a bare QEMU."""

import pathlib
import re
import shutil
import socket
import subprocess

import fixtures
import testtools

from lab import guest
from lab.instruments import heartbeat
from lab import layout
from lab import wait

QEMU = 'qemu-system-x86_64'
WORKING_SET = 0x1000000     # where it begins, see boot.S
PACKET = re.compile(rb'\$([^#]*)#..')     # of gdb's protocol


class ImageTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.path = pathlib.Path(
            self.useFixture(fixtures.TempDir()).path, 'guest.raw')

    def test_boot_record(self):
        guest.build_image(self.path)
        image = self.path.read_bytes()
        self.assertEqual(guest.IMAGE_BYTES, len(image))
        self.assertEqual(b'\x55\xaa', image[510:512])
        # One bootable partition over all of the rest, and three empty ones.
        partition, *others = (image[at:at + 16]
                              for at in range(446, 510, 16))
        self.assertEqual(0x80, partition[0])
        self.assertEqual(1, int.from_bytes(partition[8:12], 'little'))
        self.assertEqual(guest.IMAGE_BYTES // guest.SECTOR_BYTES - 1,
                         int.from_bytes(partition[12:], 'little'))
        self.assertEqual([bytes(16)] * 3, others)

    def test_parameters_reach_the_code(self):
        images = []
        for parameters in ({}, {'working_set_mib': 8}, {'pace_mib': 0},
                           {'pace_mib': 100}, {'filled_mib': 404},
                           {'burst_mib': 512}):
            guest.build_image(self.path, **parameters)
            images.append(self.path.read_bytes())
        self.assertEqual(len(images), len(set(images)))

    def test_impossible_parameters(self):
        for parameters in ({'working_set_mib': 0}, {'working_set_mib': 401},
                           {'pace_mib': 1}, {'pace_mib': 10 ** 9},
                           {'burst_mib': 12}, {'burst_mib': 1}):
            self.assertRaises(ValueError, guest.build_image, self.path,
                              **parameters)


@testtools.skipUnless(shutil.which(QEMU), '%s is not installed' % QEMU)
class GuestTestCase(testtools.TestCase):
    """A guest of 16 MiB working set under QEMU's own emulation."""

    parameters = {'working_set_mib': 16, 'pace_mib': 400}

    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        image = folder / 'guest.raw'
        guest.build_image(image, **self.parameters)
        console, self.debugger = free_port(), free_port()
        qemu = subprocess.Popen(
            [QEMU, '-accel', 'tcg', '-m', '64', '-display', 'none',
             '-monitor', 'none', '-drive', 'file=%s,format=raw' % image,
             '-serial', 'tcp:127.0.0.1:%d,server=on,wait=off' % console,
             '-gdb', 'tcp:127.0.0.1:%d' % self.debugger],
            stderr=subprocess.DEVNULL)
        self.image, self.qemu = image, qemu
        self.addCleanup(qemu.wait)
        self.addCleanup(qemu.terminate)
        self.heartbeat = heartbeat.Heartbeat()
        self.addCleanup(self.heartbeat.stop)
        self.heartbeat.follow(('127.0.0.1', console))
        self.wait_for_beats(10)

    def wait_for_beats(self, count):
        since = len(self.heartbeat.samples())
        wait.until(lambda: len(self.heartbeat.samples()) >= since + count,
                   'heartbeat of the guest', 30)

    def debug(self, *commands):
        """Give gdb's commands to the guest while it stands still.

        :returns: the answers, in their packets
        """
        answers = []
        with socket.create_connection(('127.0.0.1', self.debugger), 5) as gdb:
            for command in [*commands, 'D']:
                gdb.sendall(b'$%s#%02x' % (command.encode(),
                                           sum(command.encode()) % 256))
                answer = b''
                # At first it says in a packet that the guest has stopped.
                while not PACKET.search(answer) or (
                        PACKET.search(answer)[1].startswith(b'T')):
                    answer = PACKET.sub(b'', answer) + gdb.recv(1)
                gdb.sendall(b'+')
                answers.append(PACKET.search(answer)[1])
        return answers

    def poke(self, *addresses):
        """Change words of the guest's memory behind its back."""
        self.assertEqual({b'OK'}, set(self.debug(
            *('M%x,4:00000000' % address for address in addresses))))

    def passes(self, page):
        """Return how often the guest has walked over a page."""
        address = WORKING_SET + page * guest.PAGE_BYTES
        word, _ = self.debug('m%x,4' % address)
        return int.from_bytes(bytes.fromhex(word.decode()),
                              'little') - address


class RunningGuestTestCase(GuestTestCase):

    def test_steady_and_right(self):
        self.wait_for_beats(50)
        self.assertEqual(0, self.heartbeat.wrong_pages)
        self.assertEqual(0, self.heartbeat.setbacks)
        work = [sample.work for sample in self.heartbeat.samples()]
        self.assertEqual(
            {heartbeat.BEAT_BYTES}, {b - a for a, b in zip(work, work[1:])})

    def test_a_lost_page_is_seen_once(self):
        self.poke(WORKING_SET + 5 * guest.PAGE_BYTES)
        self.wait_for_beats(20)
        self.assertEqual(1, self.heartbeat.wrong_pages)

    def test_damage_at_the_end_of_a_page_is_seen(self):
        self.poke(WORKING_SET + 7 * guest.PAGE_BYTES - 4)
        self.wait_for_beats(20)
        self.assertEqual(1, self.heartbeat.wrong_pages)

    def test_every_wrong_page_counts(self):
        self.poke(*range(WORKING_SET, WORKING_SET + 3 * guest.PAGE_BYTES,
                         guest.PAGE_BYTES))
        self.wait_for_beats(20)
        self.assertEqual(3, self.heartbeat.wrong_pages)

    def test_nothing_else_is_filled(self):
        self.assertEqual(-(WORKING_SET + 16 * layout.MIB),
                         self.passes(16 * layout.MIB // guest.PAGE_BYTES))


class ObedientGuestTestCase(GuestTestCase):
    """What a guest does that is told so."""

    def test_stays_until_the_next_character(self):
        self.heartbeat.tell('s')
        wait.until(lambda: self.heartbeat.silence() > 1, 'silence', 30)
        self.heartbeat.tell('s')
        wait.until(lambda: self.heartbeat.silence() > 2, 'silence', 30)
        self.assertIsNone(self.qemu.poll())
        self.heartbeat.tell('r')
        wait.until(lambda: self.heartbeat.setbacks, 'guest that is reset', 30)
        self.wait_for_beats(10)

    def test_powers_off(self):
        self.heartbeat.tell('o')
        wait.until(lambda: self.qemu.poll() == 0, 'end of QEMU', 30)

    def test_writes(self):
        before = self.image.read_bytes()
        self.heartbeat.tell('w')
        wait.until(lambda: self.image.read_bytes() != before,
                   'change of the disk', 30)
        self.wait_for_beats(10)
        self.assertEqual(0, self.heartbeat.wrong_pages)
        after = self.image.read_bytes()
        self.assertEqual({1024}, {
            sector for sector in range(len(after) // guest.SECTOR_BYTES)
            for begin in [sector * guest.SECTOR_BYTES]
            if after[begin:begin + guest.SECTOR_BYTES]
            != before[begin:begin + guest.SECTOR_BYTES]})


class BurstyGuestTestCase(GuestTestCase):
    """One that walks for 32 beats and stays for 32."""

    parameters = GuestTestCase.parameters | {
        'burst_mib': 32 * guest.BEAT_MIB, 'filled_mib': 20}

    def test_half_of_the_work_walks(self):
        self.wait_for_beats(200)
        before, beats = self.passes(0), self.beats()
        self.wait_for_beats(640)
        walked = (self.passes(0) - before) * 16 / guest.BEAT_MIB
        share = walked / (self.beats() - beats)
        self.assertTrue(0.4 < share < 0.6, share)
        self.assertEqual(0, self.heartbeat.wrong_pages)

    def test_the_rest_is_filled_once(self):
        self.assertEqual(0, self.passes(16 * layout.MIB // guest.PAGE_BYTES))

    def beats(self):
        return self.heartbeat.samples()[-1].work // heartbeat.BEAT_BYTES


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]
