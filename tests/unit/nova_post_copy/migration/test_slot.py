# SPDX-License-Identifier: Apache-2.0

import threading

from nova import test

from nova_post_copy.migration.slot import Slot
from nova_post_copy import threads


class TestSlot(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.slot = Slot()
        self.over = threading.Event()
        self.addCleanup(self.over.set)

    def test_as_long_as_the_work(self):
        done = []
        self.slot.occupy(lambda: done.append(1))
        self.assertEqual([1], done)
        self.assertTrue(self.slot.work.done())

    def test_work_that_fails(self):
        self.slot.occupy(lambda: 1 / 0)
        self.assertRaises(ZeroDivisionError, self.slot.work.result)

    def test_given_back(self):
        occupied = threads.spawn(self.slot.occupy, self.over.wait)
        self.assertFalse(occupied.done())
        self.slot.give_back()
        occupied.result(timeout=60)
        self.assertFalse(self.slot.work.done())
        self.over.set()
        self.slot.work.result(timeout=60)
        self.slot.give_back()
