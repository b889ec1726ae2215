# SPDX-License-Identifier: Apache-2.0

from hypothesis import given
from hypothesis import strategies as st
import testtools

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import stranded
from nova_post_copy.decisions.stranded import Action

situations = st.builds(
    stranded.Situation,
    destination=st.none() | st.sampled_from(Condition),
    times=st.integers(1, 10), seconds=st.floats(0, 100),
    switched=st.booleans(), over=st.none() | st.booleans())


def _decide(destination, **known):
    return stranded.decide(stranded.Situation(**{
        'destination': destination, 'times': stranded.SURE_TIMES,
        'seconds': stranded.SURE_FOR_S, 'switched': False, 'over': False}
        | known)).action


class TestStranded(testtools.TestCase):

    def test_never_arrived(self):
        self.assertIs(Action.START, _decide(Condition.ABSENT))

    def test_not_often_or_long_enough(self):
        for little in ({'times': stranded.SURE_TIMES - 1},
                       {'seconds': stranded.SURE_FOR_S - 0.1}):
            for gone in (*condition.GONE, Condition.SHUTTING_DOWN):
                self.assertIs(Action.WAIT, _decide(gone, **little))

    def test_was_switched(self):
        for gone in (Condition.ABSENT, Condition.SHUTOFF, Condition.MIGRATED):
            self.assertIs(Action.GIVE_UP, _decide(gone, switched=True))

    def test_the_database(self):
        self.assertIs(Action.WAIT, _decide(Condition.ABSENT, over=None))
        self.assertIs(Action.GIVE_UP, _decide(Condition.ABSENT, over=True))

    def test_runs_there(self):
        self.assertIs(Action.STOP, _decide(Condition.RUNNING, times=1,
                                           seconds=0.0, switched=True))

    def test_alive_there_but_perhaps_without_all_of_its_memory(self):
        for there in (*condition.STARTED, Condition.MIGRATING,
                      Condition.UNKNOWN, None):
            self.assertIs(Action.WAIT, _decide(there))

    @given(situation=situations)
    def test_a_copy_is_started_only_with_every_proof(self, situation):
        decision = stranded.decide(situation)
        self.assertEqual(
            situation.destination is Condition.ABSENT
            and situation.times >= stranded.SURE_TIMES
            and situation.seconds >= stranded.SURE_FOR_S
            and not situation.switched and situation.over is False,
            decision.action is Action.START)
        self.assertTrue(decision.reason)

    @given(situation=situations)
    def test_a_copy_is_stopped_only_if_it_was_there(self, situation):
        if stranded.decide(situation).action is Action.STOP:
            self.assertIn(situation.destination,
                          (Condition.RUNNING, *condition.SHUT_DOWN))
