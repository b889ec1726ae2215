# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

from hypothesis import given
from hypothesis import strategies as st
import testtools

from nova_post_copy.virt.libvirt import switch

MIB = 1 << 20


def _decide(iteration=2, remaining=400 * MIB, bandwidth=200 * MIB,
            elapsed=3.0, downtime=0.5, timeout=0, forced=False):
    return switch.decide(
        switch.Progress(iteration, remaining, bandwidth, elapsed),
        downtime, timeout, forced)


class TestDecide(testtools.TestCase):

    def test_disks_are_copied_first(self):
        for hurry in ({}, {'forced': True}, {'elapsed': 9, 'timeout': 5}):
            self.assertEqual(
                (switch.Action.GO_ON, 'memory is not being copied yet'),
                _decide(iteration=0, remaining=0, bandwidth=0, **hurry))

    def test_user_asks_for_it(self):
        for progress in ({'iteration': 1}, {'remaining': 0}):
            self.assertEqual((switch.Action.SWITCH, 'a user asked for it'),
                             _decide(forced=True, **progress))

    def test_first_pass_goes_on(self):
        self.assertEqual(
            (switch.Action.GO_ON, 'the first pass is not complete'),
            _decide(iteration=1))

    def test_rest_too_large_switches(self):
        decision = _decide()
        self.assertIs(switch.Action.SWITCH, decision.action)
        self.assertEqual(
            'the first pass is complete and the remaining 400 MiB at '
            '200 MiB/s do not fit the allowed downtime of 500 ms',
            decision.reason)

    def test_rest_that_just_fits_goes_on(self):
        self.assertIs(switch.Action.GO_ON,
                      _decide(remaining=100 * MIB).action)
        self.assertIs(switch.Action.SWITCH,
                      _decide(remaining=100 * MIB + 1).action)

    def test_idle_guest_never_switches(self):
        for iteration in range(1, 10):
            self.assertIs(switch.Action.GO_ON,
                          _decide(iteration, remaining=0).action)

    def test_no_bandwidth_known_yet(self):
        self.assertIs(switch.Action.SWITCH, _decide(bandwidth=0).action)
        self.assertIs(switch.Action.GO_ON,
                      _decide(bandwidth=0, remaining=0).action)

    def test_timeout_switches_in_first_pass(self):
        decision = _decide(iteration=1, elapsed=1601, timeout=1600)
        self.assertEqual(
            (switch.Action.SWITCH,
             'pre-copy has not ended in the 1600 s that it may take'),
            decision)

    @given(iteration=st.integers(0, 1000), remaining=st.integers(0, 1 << 50),
           bandwidth=st.integers(0, 1 << 40),
           elapsed=st.floats(0, 1e6, allow_nan=False),
           downtime=st.floats(0.1, 10))
    def test_switches_only_after_a_pass_and_with_a_rest(
            self, iteration, remaining, bandwidth, elapsed, downtime):
        decision = _decide(iteration, remaining, bandwidth, elapsed, downtime)
        self.assertEqual(
            iteration >= 2 and remaining > bandwidth * downtime,
            decision.action is switch.Action.SWITCH)
        self.assertTrue(decision.reason)
