# SPDX-License-Identifier: Apache-2.0

import collections
import threading

import fixtures
import futurist
from nova import test
from nova.tests.unit import fake_instance

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import recovery
from nova_post_copy.migration.after_switch import AfterSwitch
from nova_post_copy.migration.following import Course
from nova_post_copy.migration import interruption
from nova_post_copy.migration import link
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration.result import End
from tests.unit.nova_post_copy.migration import base
from tests.unit.nova_post_copy.migration import scripted


class Link:
    """The ways to the destination, open or not."""

    def __init__(self, clock):
        self.clock = clock
        self.open = True
        self.failures = []      # each number that was given
        self.attempts = []      # when, and what comes of it
        self.questions = []     # when
        self.answer = link.Answer(Condition.BROKEN, False)
        self.answers = True     # in no time
        self.let_go_at = []
        self.resume_refusal = None
        self.daemon_ends = False

    def open_address(self, failures):
        self.failures.append(failures)
        return 'a' if self.open else None

    def resume(self, address):
        self.attempts.append((self.clock.now, futurist.Future()))
        return self.attempts[-1][1]

    def daemon_has_ended(self, address, error):
        return self.daemon_ends

    def let_go(self, reason):
        self.let_go_at.append(self.clock.now)

    def ask(self):
        self.questions.append(self.clock.now)
        question = futurist.Future()
        if self.answers:
            question.set_result(self.answer)
        return question


class Story:
    def __init__(self):
        self.unreachable_at = []

    def interrupted(self, error):
        pass

    def unreachable(self):
        self.unreachable_at.append(True)


class TestInterruption(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.clock = self.useFixture(scripted.Clock())
        self.link = Link(self.clock)
        self.story = Story()
        migration = LiveMigration(
            host=None, instance=fake_instance.fake_instance_obj(None),
            requests=collections.deque(), can_switch=True, link=self.link,
            reporter=self.story, signals=scripted.Signals(self.clock),
            stopping=threading.Event())
        self.interruption = interruption.Interruption(
            migration, None, AfterSwitch(migration, None, Course()))

    def step(self, seconds=0.25, times=1):
        """Return why recovery was given up; None as long as it goes on."""
        for _time in range(times):
            self.clock.sleep(seconds)
            reached = self.interruption.step(Condition.BROKEN, over=True)
            if reached is not self.interruption:
                self.assertIs(End.LOST, reached.end)
                return reached.error

    def fail(self, error='still running'):
        self.link.attempts[-1][1].set_result(scripted.libvirt_error(error))

    def test_one_attempt_at_a_time(self):
        self.step(times=20)
        self.assertEqual(1, len(self.link.attempts))
        self.assertIs(self.interruption.attempt, self.link.attempts[0][1])

    def test_next_attempt_a_moment_after_the_last(self):
        self.step(times=10)
        self.fail()
        self.step(times=10)
        self.fail()
        self.step(times=10)
        self.assertEqual([0.5, 3.25, 5.75],
                         [when for when, _attempt in self.link.attempts])
        # As many failures as there were attempts.
        self.assertEqual(2, self.link.failures[-1])

    def test_resume_ends_libvirt_on_the_destination(self):
        log = self.useFixture(fixtures.FakeLogger())
        self.link.daemon_ends = True
        for _attempt in range(recovery.MOST_DAEMON_ENDS):
            while self.interruption.attempt is None:
                self.step()
            self.fail('client socket is closed')
            self.step()
        self.step(times=2000)
        moments = [when for when, _attempt in self.link.attempts]
        self.assertEqual(recovery.MOST_DAEMON_ENDS, len(moments))
        # After each attempt the pause is longer.
        self.assertGreaterEqual(moments[1] - moments[0], 10)
        self.assertGreaterEqual(moments[2] - moments[1], 30)
        self.assertEqual(
            1, log.output.count('libvirt on the destination has ended 3'))

    def test_network_fails_while_it_resumes(self):
        self.link.daemon_ends = True
        # libvirt needs half a minute for that.
        for _attempt in range(9):
            while self.interruption.attempt is None:
                self.step()
            self.step(seconds=30)
            self.fail('client socket is closed')
            self.step()
        self.step(times=4)
        self.assertEqual(10, len(self.link.attempts))

    def test_libvirt_there_does_not_survive_a_resume(self):
        log = self.useFixture(fixtures.FakeLogger())
        self.link.resume_refusal = 'libvirt 11.3 crashes'
        self.step(times=1000)
        self.assertEqual([], self.link.attempts)
        self.assertEqual(1, log.output.count(
            'not resumed: the stream is left to TCP, which heals it if '
            'anything can: libvirt 11.3 crashes'))

    def test_attempt_that_ended_without_an_error_is_none(self):
        # libvirt says that it is through, but the domain is still broken.
        self.step(times=2)
        self.link.attempts[-1][1].set_result(None)
        self.step(times=3)
        self.assertEqual(2, len(self.link.attempts))

    def test_waits_for_an_address(self):
        self.link.open = False
        self.step(times=20)
        self.assertEqual([], self.link.attempts)
        self.assertEqual(list(range(20)), self.link.failures)
        self.link.open = True
        self.step()
        self.assertEqual(1, len(self.link.attempts))

    def test_asks_now_and_then(self):
        self.link.open = False
        self.step(times=80)
        self.assertEqual([0.25, 5.25, 10.25, 15.25], self.link.questions)

    def test_asks_while_a_resume_hangs(self):
        # By the question libvirt is freed of a call that nobody answers.
        self.step(times=80)
        self.assertEqual(1, len(self.link.attempts))
        self.assertEqual([0.25, 5.25, 10.25, 15.25], self.link.questions)
        self.fail('client socket is closed')
        self.step(times=4)
        self.assertEqual(2, len(self.link.attempts))

    def test_one_question_at_a_time(self):
        self.link.open = self.link.answers = False
        self.step(times=200)
        self.assertEqual(1, len(self.link.questions))

    def test_operator_gives_it_up(self):
        self.link.open = False
        self.step(times=100)
        self.link.answer = link.Answer(None, True)
        self.assertIn('given the live migration up',
                      self.step(times=100))

    def test_destination_has_to_say_it_twice(self):
        self.link.open = False
        self.step(times=2)
        self.link.answer = link.Answer(Condition.ABSENT, False)
        self.assertIsNone(self.step(times=22))
        self.link.answer = link.Answer(Condition.BROKEN, False)
        self.assertIsNone(self.step(times=40))
        asked = len(self.link.questions)
        self.link.answer = link.Answer(Condition.SHUTOFF, False)
        self.assertIn('destination has exited', self.step(times=60))
        self.assertEqual(asked + 2, len(self.link.questions))

    def test_all_of_it_has_arrived(self):
        self.link.answer = link.Answer(Condition.RUNNING, False)
        # It has to say so twice, and libvirt there to refuse what is resumed.
        self.step(times=40)
        self.assertEqual([], self.link.let_go_at)
        self.fail('no post-copy migration in progress')
        self.assertIsNone(self.step(times=2))
        self.assertEqual([10.25], self.link.let_go_at)

    def test_was_refused_before_it_arrived(self):
        self.step(times=2)
        self.fail()
        self.link.answer = link.Answer(Condition.RUNNING, False)
        self.link.open = False
        self.step(times=80)
        self.assertEqual([], self.link.let_go_at)

    def test_guest_has_shut_itself_down(self):
        self.link.open = False
        self.link.answer = link.Answer(Condition.POWERED_OFF, False)
        self.assertIsNone(self.step(times=42))
        # It has to say so twice, also if libvirt here refuses to stop it.
        self.assertEqual([5.5], self.link.let_go_at[:1])
        self.assertGreaterEqual(
            self.link.let_go_at[-1] - self.link.let_go_at[0],
            5.0 * (len(self.link.let_go_at) - 1))

    def test_guest_has_shut_itself_down_and_libvirt_does_not_know(self):
        self.link.open = False
        self.link.answer = link.Answer(Condition.SHUTTING_DOWN, False)
        self.interruption.operation = call = futurist.Future()
        self.assertIsNone(self.step(times=100))
        self.assertEqual([], self.link.let_go_at)
        call.set_result(None)
        self.assertIsNone(self.step())
        self.assertEqual(1, len(self.link.let_go_at))

    def test_guest_that_stands_still_is_resumed(self):
        self.link.answer = link.Answer(Condition.IO_ERROR, False)
        self.step(times=40)
        self.fail('domain is not in post-copy')
        self.assertIsNone(self.step(times=200))
        self.assertEqual([], self.link.let_go_at)
        self.assertEqual(2, len(self.link.attempts))

    def test_timeout(self):
        self.flags(recovery_timeout=30, group='post_copy')
        self.link.open = False
        self.assertIn('[post_copy] recovery_timeout (30 s) has expired',
                      self.step(times=1000))
        self.assertEqual(30.25, self.clock.now)

    def test_never_without_a_timeout(self):
        self.link.open = False
        self.assertIsNone(self.step(seconds=1, times=900))

    def test_unreachable_is_told_once(self):
        self.link.open = False
        self.link.answer = link.Answer(None, False)
        self.step(seconds=1, times=int(recovery.SILENT_AFTER_S))
        self.assertEqual([], self.story.unreachable_at)
        self.step(seconds=1, times=100)
        self.assertEqual(1, len(self.story.unreachable_at))

    def test_destination_that_answers_is_not_unreachable(self):
        self.link.open = False
        self.step(seconds=1, times=200)
        self.assertEqual([], self.story.unreachable_at)


class TestInterrupted(base.PostCopyTestCase):

    def test_goes_on(self):
        self.breaks(2)
        self.resumes(6)
        self.arrives(8)
        self.assertEqual((End.COMPLETED, None, True), self.watch())
        self.assertEqual(1, len(self.destination.attempts))
        self.assertEqual(
            ['post-copy', 'interrupted: operation failed: Broken pipe',
             'resumed', 'post-copy', 'end'], self.story.told)

    def test_as_soon_as_the_network_is_back(self):
        self.breaks(2)
        self.destination.open = False

        def back():
            self.assertEqual([], self.destination.attempts)
            self.destination.open = True
        self.clock.at(60, back)
        self.clock.at(61, lambda: self.assertEqual(
            1, len(self.destination.attempts)))
        self.resumes(62)
        self.arrives(63)
        self.assertIs(End.COMPLETED, self.watch().end)

    def test_twice(self):
        self.breaks(2)
        self.resumes(4)
        self.clock.at(6, lambda: (
            self.source.become(scripted.BROKEN, {}),
            self.destination.attempts[-1].set_result(
                scripted.libvirt_error('again'))))
        self.resumes(9)
        self.arrives(10)
        self.assertEqual((End.COMPLETED, None, True), self.watch())
        self.assertEqual(2, len(self.destination.attempts))
        self.assertEqual(
            ['post-copy', 'interrupted: operation failed: Broken pipe',
             'resumed', 'post-copy', 'interrupted: operation failed: again',
             'resumed', 'post-copy', 'end'], self.story.told)

    def test_failed_resumes_are_repeated(self):
        self.breaks(2)
        for second in range(4, 8):
            self.resumes(second, scripted.libvirt_error('still running'))
        self.resumes(10)
        self.arrives(11)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual(5, len(self.destination.attempts))

    def test_bytes_move_although_it_is_said_to_be_broken(self):
        # libvirtd on the destination was killed.
        self.source.flows = True
        self.clock.at(self.clock.now + 1, lambda: self.source.become(
            scripted.BROKEN))
        self.source.ends(9, scripted.libvirt_error('connection lost'),
                         state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual([], self.destination.attempts)
        self.assertFalse([what for what in self.story.told
                          if what.startswith('interrupted')])

    def test_broken_although_libvirt_still_waits(self):
        self.source.at(2, state=scripted.BROKEN)
        self.source.ends(4, scripted.libvirt_error('late'))
        self.resumes(6)
        self.arrives(7)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertIn('interrupted: the stream is stalled',
                      self.story.told)

    def test_somebody_else_resumes_it(self):
        self.breaks(2)
        self.destination.open = False
        self.source.at(20, state=scripted.POST_COPY)
        self.clock.at(20, lambda: self.moves())
        self.source.at(25, state=scripted.MIGRATED, job={})
        self.assertEqual((End.COMPLETED, None, False), self.watch())
        self.assertIn('resumed', self.story.told)

    def test_given_up(self):
        self.breaks(2)
        self.destination.open = False
        self.clock.at(30, lambda: setattr(self.destination, 'given_up', True))
        result = self.watch()
        self.assertIs(End.LOST, result.end)
        self.assertIn('given the live migration up', result.error)

    def test_guest_shuts_itself_down(self):
        for there in condition.SHUT_DOWN:
            self.source.operation = futurist.Future()
            self.source.become(scripted.POST_COPY)
            self.breaks(self.clock.now + 2)
            self.destination.condition = there
            self.destination.error = scripted.libvirt_error('no domain')
            self.assertEqual((End.COMPLETED, None, True), self.watch())
            reason = self.destination.let_go_of.pop()
            self.assertIn('shut down on the destination', reason)

    def test_guest_shuts_itself_down_and_libvirt_still_waits(self):
        # As libvirt 9.0 does, for half a minute.
        self.source.at(2, state=scripted.BROKEN)
        self.destination.condition = Condition.SHUTTING_DOWN
        # The first attempt to resume hangs.
        self.source.ends(32, scripted.libvirt_error('domain is not running'))
        self.assertEqual((End.COMPLETED, None, True), self.watch())

    def test_qemu_on_the_destination_dies(self):
        self.breaks(2)
        self.destination.condition = Condition.SHUTOFF
        self.destination.error = scripted.libvirt_error('no domain')
        self.assertEqual(
            (End.LOST, 'QEMU on the destination has exited', False),
            self.watch())

    def test_qemu_on_the_source_dies(self):
        for broken in (False, True):
            self.source.operation = futurist.Future()
            self.source.become(scripted.POST_COPY)
            if broken:
                self.source.at(self.clock.now + 1, state=scripted.BROKEN)
            self.source.ends(self.clock.now + 3,
                             scripted.libvirt_error('died'),
                             state=scripted.CRASHED)
            self.assertEqual(
                (End.LOST, 'QEMU on the source has exited', False),
                self.watch())

    def test_nova_compute_stops(self):
        self.breaks(2)
        self.clock.at(3, self.stopping.set)
        self.assertIs(End.UNWATCHED, self.watch().end)
