# SPDX-License-Identifier: Apache-2.0

from hypothesis import given
from hypothesis import strategies as st
import testtools

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import recovery
from nova_post_copy.decisions.recovery import Action

seconds = st.floats(0, 1e6, allow_nan=False)
situations = st.builds(
    recovery.Situation, elapsed=seconds,
    destination=st.none() | st.sampled_from(Condition),
    reachable=st.booleans(), since_attempt=seconds, given_up=st.booleans(),
    attempting=st.just(False), newest=st.none(),
    refused=st.booleans(), daemon_ends=st.integers(0, 4),
    resume_refusal=st.none() | st.just('it crashes'))
timeouts = st.just(0) | st.integers(1, 10 ** 6)


def _decide(timeout=0, **known):
    return recovery.decide(recovery.Situation(**{
        'elapsed': 10.0, 'destination': Condition.BROKEN, 'reachable': True,
        'since_attempt': 10.0, 'given_up': False} | known), timeout)


class TestDecide(testtools.TestCase):

    def test_resume(self):
        self.assertIs(Action.RESUME, _decide().action)

    def test_destination_that_nova_cannot_ask_is_resumed(self):
        self.assertIs(Action.RESUME, _decide(destination=None).action)

    def test_wait(self):
        self.assertIs(Action.WAIT, _decide(reachable=False).action)
        self.assertIs(Action.WAIT, _decide(since_attempt=0.4).action)

    def test_an_operator_gives_it_up(self):
        self.assertEqual(
            (Action.GIVE_UP, 'an operator has given the live migration up'),
            _decide(given_up=True))

    def test_destination_has_lost_it(self):
        for gone in (Condition.SHUTOFF, Condition.ABSENT):
            self.assertEqual(
                (Action.GIVE_UP, 'QEMU on the destination has exited'),
                _decide(destination=gone))

    def test_all_of_it_has_arrived(self):
        self.assertIs(Action.LET_GO, _decide(
            destination=Condition.RUNNING, refused=True).action)
        # libvirt there would take a resume only if it were not so.
        self.assertIs(Action.RESUME, _decide(
            destination=Condition.RUNNING).action)

    def test_guest_has_shut_itself_down(self):
        for there in condition.SHUT_DOWN:
            self.assertIs(Action.LET_GO, _decide(destination=there).action)

    def test_copy_is_not_stopped_while_libvirt_calls(self):
        for there in condition.SHUT_DOWN:
            self.assertIs(Action.WAIT, _decide(
                destination=there, calling=True, given_up=True,
                timeout=10, elapsed=20).action)

    def test_guest_that_shuts_itself_down_is_not_resumed(self):
        # It has said so once. A resume would hang for 40 s.
        for there in condition.SHUT_DOWN:
            self.assertIs(Action.WAIT, _decide(newest=there).action)
            self.assertIs(Action.LET_GO, _decide(
                destination=there, newest=there, attempting=True).action)

    def test_one_attempt_at_a_time(self):
        self.assertIs(Action.WAIT, _decide(attempting=True).action)

    def test_guest_that_stands_still_is_alive(self):
        # On an I/O error, or because somebody has paused it.
        for there in (Condition.IO_ERROR, Condition.PAUSED):
            for refused in (False, True):
                self.assertIs(Action.RESUME, _decide(
                    destination=there, refused=refused).action)

    @given(situation=situations, timeout=timeouts)
    def test_lets_go_of_nothing_that_is_needed(self, situation, timeout):
        if recovery.decide(situation, timeout).action is Action.LET_GO:
            self.assertTrue(
                situation.destination in condition.SHUT_DOWN or
                situation.destination is Condition.RUNNING and
                situation.refused)

    def test_timeout(self):
        self.assertIs(Action.RESUME, _decide(timeout=10).action)
        self.assertEqual(
            (Action.GIVE_UP,
             '[post_copy] recovery_timeout (10 s) has expired'),
            _decide(timeout=10, elapsed=10.1))

    @given(situation=situations, timeout=timeouts)
    def test_gives_up_only_for_a_reason(self, situation, timeout):
        decision = recovery.decide(situation, timeout)
        nothing_to_give_up = (
            situation.destination in condition.SHUT_DOWN or
            decision.action is Action.LET_GO)
        self.assertEqual(
            situation.destination in (
                Condition.MIGRATED, Condition.SHUTOFF, Condition.ABSENT) or
            (situation.given_up or bool(timeout) and
             situation.elapsed > timeout) and not nothing_to_give_up,
            decision.action is Action.GIVE_UP)
        if decision.action is Action.WAIT:
            self.assertTrue(not decision.reason or situation.resume_refusal
                            or situation.daemon_ends >=
                            recovery.MOST_DAEMON_ENDS)
        else:
            self.assertEqual(decision.action is not Action.RESUME,
                             bool(decision.reason))

    @given(situation=situations, timeout=timeouts)
    def test_resumes_only_where_it_can(self, situation, timeout):
        if recovery.decide(situation, timeout).action is Action.RESUME:
            self.assertTrue(situation.reachable)
            self.assertGreaterEqual(situation.since_attempt,
                                    recovery.RETRY_AFTER_S)

    @given(situation=situations)
    def test_never_waits_for_ever(self, situation):
        # Whatever it is now: as soon as the network is back it is resumed,
        # if nobody has given it up and the guest is alive.
        alive = situation._replace(
            given_up=False, destination=Condition.BROKEN, reachable=True,
            since_attempt=recovery.RETRY_AFTER_S, resume_refusal=None,
            daemon_ends=0)
        self.assertIs(Action.RESUME, recovery.decide(alive, 0).action)

    @given(situation=situations, timeout=timeouts)
    def test_makes_no_host_worse(self, situation, timeout):
        for harmful in ({'resume_refusal': 'it crashes'},
                        {'daemon_ends': recovery.MOST_DAEMON_ENDS}):
            self.assertIsNot(Action.RESUME, recovery.decide(
                situation._replace(**harmful), timeout).action)

    def test_resume_that_has_ended_libvirt_is_not_repeated_soon(self):
        for ends, seconds in ((0, 0.5), (1, 10), (2, 30)):
            self.assertIs(Action.WAIT, _decide(
                daemon_ends=ends, since_attempt=seconds - 0.1).action)
            self.assertIs(Action.RESUME, _decide(
                daemon_ends=ends, since_attempt=seconds).action)
        decision = _decide(daemon_ends=3, since_attempt=1e6)
        self.assertIs(Action.WAIT, decision.action)
        self.assertIn('libvirtd or virtqemud', decision.reason)


class TestAddresses(testtools.TestCase):

    def test_first_one_first(self):
        for failures in range(recovery.FIRST_ADDRESS_TRIES):
            self.assertEqual(
                ['a'], recovery.addresses_to_try(['a', 'b'], failures))

    def test_then_all(self):
        for failures in (recovery.FIRST_ADDRESS_TRIES, 1000):
            self.assertEqual(
                ['a', 'b'], recovery.addresses_to_try(['a', 'b'], failures))
            self.assertEqual(
                ['a'], recovery.addresses_to_try(['a'], failures))


class TestStream(testtools.TestCase):

    def test_stands_still(self):
        stream = recovery.Stream()
        self.assertEqual(0, stream.look((1, 2), 101.0))
        self.assertEqual(3, stream.look((1, 2), 104.0))

    def test_any_figure_is_a_sign_of_life(self):
        stream = recovery.Stream()
        stream.look((1, 2), 0.0)
        self.assertEqual(2, stream.look((1, 2), 2.0))
        self.assertEqual(0, stream.look((1, 3), 4.9))
        self.assertEqual(1, stream.look((1, 3), 5.9))
