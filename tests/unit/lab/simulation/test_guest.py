# SPDX-License-Identifier: Apache-2.0

import testtools

from lab.simulation import guest


class TestGuest(testtools.TestCase):
    def test_working_set_is_part_of_memory(self):
        self.assertRaises(ValueError, guest.Guest, 10, 11)

    def test_writing_needs_a_working_set(self):
        self.assertRaises(ValueError, guest.Guest, 10, 0, 1.0)
