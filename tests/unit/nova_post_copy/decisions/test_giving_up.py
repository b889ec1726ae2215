# SPDX-License-Identifier: Apache-2.0

import testtools

from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import giving_up
from nova_post_copy.decisions.giving_up import Outcome

SOURCE_IS_DEAD = giving_up.Situation(
    source='src', destination='dest', given_up=frozenset({'src'}),
    switched=True, interrupted=True, source_is_up=False,
    destination_is_up=True)
BEFORE_SWITCH = SOURCE_IS_DEAD._replace(switched=False, interrupted=False)
DEST_IS_DEAD = SOURCE_IS_DEAD._replace(
    given_up=frozenset({'dest'}), source_is_up=True, destination_is_up=False)
BOTH = frozenset({'src', 'dest'})


class TestRefusal(testtools.TestCase):

    def refused(self, reason, situation, **changes):
        self.assertIn(reason, giving_up.refusal(
            situation._replace(**changes)) or '')

    def taken(self, situation, **changes):
        self.assertIsNone(giving_up.refusal(situation._replace(**changes)))

    def test_a_dead_host(self):
        for situation in (SOURCE_IS_DEAD, DEST_IS_DEAD, BEFORE_SWITCH):
            self.taken(situation)
            self.taken(situation, given_up=BOTH)
        for situation in (SOURCE_IS_DEAD, DEST_IS_DEAD):
            self.taken(situation, interrupted=False)

    def test_wrong_host(self):
        self.refused('other takes no part', SOURCE_IS_DEAD,
                     given_up=frozenset({'src', 'other'}))
        self.refused('without nova-compute is src', SOURCE_IS_DEAD,
                     given_up=frozenset({'dest'}))
        self.refused('without nova-compute is dest', DEST_IS_DEAD,
                     given_up=frozenset({'src'}))
        self.refused('only its source can be given up, src', BEFORE_SWITCH,
                     given_up=frozenset({'dest'}))

    def test_both_are_dead(self):
        for hosts in ({'src'}, {'dest'}, {'src', 'dest'}):
            self.taken(SOURCE_IS_DEAD, destination_is_up=False,
                       given_up=frozenset(hosts))

    def test_both_are_alive(self):
        # The network between them may be gone for good.
        for hosts in ({'src'}, {'dest'}):
            self.taken(SOURCE_IS_DEAD, source_is_up=True,
                       given_up=frozenset(hosts))
        self.refused('is being copied', SOURCE_IS_DEAD, source_is_up=True,
                     interrupted=False)
        self.refused('nova-compute on src is up', BEFORE_SWITCH,
                     source_is_up=True)


class TestOutcome(testtools.TestCase):

    def assert_outcome(self, expected, situation, *answers):
        for answer in answers:
            self.assertIs(expected, giving_up.outcome(situation, answer),
                          answer)

    def test_after_the_switch(self):
        self.assert_outcome(
            Outcome.LOST, SOURCE_IS_DEAD, None, Condition.POST_COPY,
            Condition.BROKEN, Condition.SHUTOFF, Condition.ABSENT,
            # libvirt does not show any more whether these are complete.
            Condition.PAUSED, Condition.IO_ERROR)

    def test_arrived_while_nobody_watched(self):
        for situation in (SOURCE_IS_DEAD, BEFORE_SWITCH):
            self.assert_outcome(
                Outcome.ARRIVED, situation, Condition.RUNNING,
                Condition.SHUTTING_DOWN, Condition.POWERED_OFF)
        self.assert_outcome(Outcome.ARRIVED, BEFORE_SWITCH,
                            Condition.PAUSED, Condition.IO_ERROR)

    def test_before_the_switch(self):
        self.assert_outcome(
            Outcome.STAYS, BEFORE_SWITCH, Condition.ABSENT,
            Condition.SHUTOFF)
        self.assert_outcome(Outcome.LOST, BEFORE_SWITCH,
                            Condition.POST_COPY, Condition.BROKEN)

    def test_about_to_start_or_to_be_removed(self):
        for situation in (SOURCE_IS_DEAD, BEFORE_SWITCH,
                          BEFORE_SWITCH._replace(given_up=BOTH)):
            self.assert_outcome(None, situation, Condition.MIGRATING)

    def test_only_the_destination_knows(self):
        self.assert_outcome(None, BEFORE_SWITCH, None)
        self.assert_outcome(
            Outcome.STAYS, BEFORE_SWITCH._replace(given_up=BOTH), None)
