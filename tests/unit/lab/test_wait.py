# SPDX-License-Identifier: Apache-2.0

import time

import fixtures
import testtools

from lab import errors
from lab import wait


class WaitTest(testtools.TestCase):

    def slow(self, slowness):
        self.useFixture(fixtures.MonkeyPatch('lab.wait.slowness', slowness))

    def test_a_limit_holds_as_written(self):
        self.assertEqual(30, wait.scaled(30))
        exc = self.assertRaises(errors.LabError, wait.until, lambda: False,
                                'answer', 0.1, interval=0.01)
        self.assertEqual('no answer within 0.1 s', str(exc))

    def test_a_limit_on_a_slow_machine(self):
        self.slow(3.0)
        begun = time.monotonic()
        exc = self.assertRaises(errors.LabError, wait.until, lambda: False,
                                'answer', 0.1, interval=0.01)
        self.assertEqual('no answer within 0.3 s', str(exc))
        self.assertLess(0.3, time.monotonic() - begun)
