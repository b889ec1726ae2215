# SPDX-License-Identifier: Apache-2.0

import collections

import fixtures
import futurist
from nova import exception
from nova import test

from nova_post_copy.migration import write_queue


class Thread:
    """Runs what it is given when a test lets it."""

    def __init__(self):
        self.given = collections.deque()

    def spawn(self, function, *args):
        future = futurist.Future()
        future.result = lambda: self.run() or futurist.Future.result(future)
        self.given.append((future, function, args))
        return future

    def run(self):
        while self.given:
            future, function, args = self.given.popleft()
            future.set_result(function(*args))


class TestWriteQueue(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.thread = Thread()
        self.queue = write_queue.WriteQueue(self.thread.spawn)
        self.written = []

    def tell(self, what):
        self.queue.tell(lambda: self.written.append(what))

    def show(self, what):
        self.queue.show(lambda: self.written.append(what))

    def test_nobody_waits(self):
        self.tell(1)
        self.tell(2)
        self.assertEqual([], self.written)
        self.assertEqual(1, len(self.thread.given))

    def test_one_after_the_other(self):
        for what in range(5):
            self.tell(what)
        for count in range(1, 6):
            self.thread.run()
            self.assertEqual(list(range(count)), self.written)
            self.queue.go_on()

    def test_nothing_to_go_on_with(self):
        self.queue.go_on()
        self.queue.finish()
        self.assertEqual([], self.written)

    def test_finish_waits_for_everything(self):
        for what in range(5):
            self.tell(what)
        self.queue.finish()
        self.assertEqual(list(range(5)), self.written)
        self.tell(5)
        self.queue.finish()
        self.assertEqual(list(range(6)), self.written)

    def test_progress_is_dropped_while_busy(self):
        self.show(1)
        self.show(2)
        self.thread.run()
        self.show(3)
        self.tell(4)
        self.thread.run()
        # 3 is written, 4 still waits.
        self.show(5)
        self.queue.finish()
        self.assertEqual([1, 3, 4], self.written)

    def test_error_does_not_stop_it(self):
        def fail():
            raise test.TestingException('the database is away')

        self.queue.tell(fail)
        self.tell(1)
        self.queue.finish()
        self.assertEqual([1], self.written)


class TestKeep(TestWriteQueue):
    """A state that could not be written is written again."""

    def setUp(self):
        super().setUp()
        self.now = 0.0
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.migration.write_queue.time.monotonic',
            lambda: self.now))
        self.away = True

    def keep(self, what, state='status'):
        def write():
            if self.away:
                raise test.TestingException('the database is away')
            self.written.append(what)
        self.queue.keep(state, write)

    def go_on(self, seconds=0.0):
        self.now += seconds
        self.thread.run()
        self.queue.go_on()
        self.thread.run()
        self.queue.go_on()

    def test_until_it_is_written(self):
        self.keep(1)
        for _time in range(3):
            self.go_on(write_queue.RETRY_INTERVAL_S)
        self.away = False
        self.go_on(write_queue.RETRY_INTERVAL_S)
        for _time in range(3):
            self.go_on(write_queue.RETRY_INTERVAL_S)
        self.assertEqual([1], self.written)

    def test_not_at_once(self):
        self.keep(1)
        self.go_on()
        self.away = False
        self.go_on(write_queue.RETRY_INTERVAL_S / 2)
        self.assertEqual([], self.written)
        self.go_on(write_queue.RETRY_INTERVAL_S / 2)
        self.assertEqual([1], self.written)

    def test_order(self):
        self.keep(1)
        self.tell(2)
        self.go_on()
        self.assertEqual([], self.written)
        self.away = False
        for _time in range(3):
            self.go_on(write_queue.RETRY_INTERVAL_S)
        self.assertEqual([1, 2], self.written)

    def test_newer_state_replaces_it(self):
        self.keep(1)
        self.keep(2, 'vm_state')
        self.go_on()
        self.go_on(write_queue.RETRY_INTERVAL_S)
        self.keep(3)
        self.away = False
        for _time in range(5):
            self.go_on(write_queue.RETRY_INTERVAL_S)
        self.assertEqual([2, 3], self.written)

    def test_finish_does_not_wait_for_the_database(self):
        self.keep(1)
        self.tell(2)
        self.queue.finish()
        self.assertEqual([2], self.written)
        self.away = False
        self.go_on(write_queue.RETRY_INTERVAL_S)
        self.assertEqual([2], self.written)

    def test_nothing_is_left_to_write_to(self):
        def write():
            self.written.append(1)
            raise exception.MigrationNotFound(migration_id=17)
        self.queue.keep('status', write)
        for _time in range(3):
            self.go_on(write_queue.RETRY_INTERVAL_S)
        self.assertEqual([1], self.written)
