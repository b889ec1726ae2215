# SPDX-License-Identifier: Apache-2.0

import fixtures
import testtools

from lab.faults import copies


class CopiesTest(testtools.TestCase):
    """The processor time of each QEMU, look by look."""

    def setUp(self):
        super().setUp()
        self.ticks: dict[int, int] = {}
        self.twice: list[list[str]] = []
        self.useFixture(fixtures.MonkeyPatch(
            'lab.instruments.proof.qemu_processes',
            lambda server, hosts: {pid: 'host-%d' % pid
                                   for pid in self.ticks}))
        self.useFixture(fixtures.MonkeyPatch(
            'lab.faults.copies.guest_ticks', self.ticks.__getitem__))
        self.useFixture(fixtures.MonkeyPatch(
            'lab.faults.copies.INTERVAL_S', 3600))
        self.useFixture(fixtures.MonkeyPatch('lab.faults.copies.READ_S', 60))
        self.copies = copies.Copies('uuid', {}, self.twice.append)
        self.addCleanup(self.copies.stop)

    def look(self, *running: int) -> None:
        for pid in running:
            self.ticks[pid] = self.ticks.get(pid, 0) + 20
        self.copies.look()

    def test_one_copy(self):
        self.ticks[2] = 0
        for _ in range(5):
            self.look(1)

        self.assertEqual([], self.twice)

    def test_switch_within_an_interval(self):
        self.ticks[2] = 0
        for running in ((1,), (1,), (1, 2), (2,), (2,)):
            self.look(*running)

        self.assertEqual([], self.twice)

    def test_two_copies(self):
        for _ in range(3):
            self.look(1, 2)

        self.assertEqual([['host-1', 'host-2']], self.twice)

    def test_a_switch_while_the_copies_are_read(self):
        self.look(1)
        self.look(1)
        # The one is read before the switch, the other one long after it.
        self.useFixture(fixtures.MonkeyPatch('lab.faults.copies.READ_S', -1))
        self.look(1, 2)
        self.useFixture(fixtures.MonkeyPatch('lab.faults.copies.READ_S', 60))
        self.look(1, 2)
        self.look(2)

        self.assertEqual([], self.twice)

    def test_two_copies_are_seen_also_after_a_look_that_took_long(self):
        self.useFixture(fixtures.MonkeyPatch('lab.faults.copies.READ_S', -1))
        self.look(1, 2)
        self.useFixture(fixtures.MonkeyPatch('lab.faults.copies.READ_S', 60))
        self.look(1, 2)
        self.look(1, 2)

        self.assertEqual([['host-1', 'host-2']], self.twice)

    def test_two_copies_on_one_host_after_a_move(self):
        for running in ((1,), (1,), (2,), (2, 3), (2, 3), (2, 3)):
            self.look(*running)

        self.assertEqual([['host-2', 'host-3']], self.twice)

    def test_threads_that_only_tidy_up_do_not_run(self):
        for _ in range(5):
            self.look(1)
            self.ticks[2] = self.ticks.get(2, 0) + 1

        self.assertEqual([], self.twice)


class GuestTicksTest(testtools.TestCase):

    def test_a_process_that_has_ended(self):
        self.assertEqual(0, copies.guest_ticks(2 ** 22 + 1))
