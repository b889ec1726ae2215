# SPDX-License-Identifier: Apache-2.0

import collections
import threading

import futurist
from nova import exception
from nova import objects
from nova import test
from nova.tests.unit import fake_instance

from lab.simulation import names
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.migration import link
from nova_post_copy.migration import monitor
from nova_post_copy.migration.monitor import End
from nova_post_copy.virt.libvirt import job
from tests.unit.nova_post_copy.migration import scripted
from tests.unit.nova_post_copy.migration.scripted import copying

MIB = scripted.MIB


class Story:
    """What is told of a migration, in order."""

    def __init__(self):
        self.switched = False
        self.told = []
        self.percents = []
        self.can_save = collections.deque()

    def _tell(self, what):
        if self.told[-1:] != [what]:
            self.told.append(what)

    def go_on(self):
        pass

    def finish(self):
        self._tell('end')

    def progress(self, info, per_cent):
        self.percents.append(round(per_cent))

    def switched_over(self):
        pass

    def moving(self, switched):
        self._tell('post-copy' if switched else 'pre-copy')

    def switching(self):
        saved = self.can_save.popleft() if self.can_save else True
        if saved:
            self._tell('post-copy')
        return saved

    def interrupted(self, error):
        self._tell('interrupted: %s' % error)

    def resumed(self):
        self._tell('resumed')

    def unreachable(self):
        self._tell('unreachable')


class Destination:
    """The way to a destination that is as a test says."""

    def __init__(self):
        self.open = True
        self.error = None   # of each attempt to resume
        #: what its domain says, and whether an operator has decided
        self.condition = Condition.BROKEN
        self.decided = False
        #: libvirt's calls to resume, in order
        self.attempts = []
        self.cut_over = 0   # how often the network was moved

    def open_address(self, failures):
        return '192.0.2.2' if self.open else None

    def resume(self, address):
        self.attempts.append(futurist.Future())
        if self.error is not None:
            self.attempts[-1].set_result(self.error)
        return self.attempts[-1]

    def ask(self):
        question = futurist.Future()
        question.set_result(link.Answer(self.condition, self.decided))
        return question

    def destination(self):
        return self.condition

    def cut_over_network(self):
        self.cut_over = self.cut_over + 1


class MonitorTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.clock = self.useFixture(scripted.Clock())
        self.source = scripted.Source(self.clock)
        self.destination = Destination()
        self.story = Story()
        self.requests = collections.deque()
        self.stopping = threading.Event()
        self.instance = fake_instance.fake_instance_obj(None)
        self.instance.flavor = objects.Flavor(memory_mb=512)

    def monitor(self, can_switch=True, restarted=False):
        return monitor.Monitor(
            self.source, self.instance,
            None if restarted else self.source.operation, self.requests,
            can_switch, self.destination, self.story,
            scripted.Signals(self.clock), self.stopping)

    def watch(self, **kwargs):
        return self.monitor(**kwargs).watch()

    def switches(self):
        """Let the switch be as it is when all goes well."""
        self.source.effects['migrateStartPostCopy'] = lambda: (
            self.source.become(scripted.POST_COPY))

    def completes_first_pass(self, second=2):
        self.source.become(job=copying(1))
        self.source.at(second, job=copying(2))

    def moves(self, processed=0):
        """Let the stream of the post-copy phase move."""
        job = copying(3) | {'memory_processed': processed}
        self.source.become(job=job)
        self.clock.at(self.clock.now + 1, lambda: (
            self.source.job is job and self.moves(processed + MIB)))

    def stands_still(self):
        self.source.become(job=copying(3))

    def assert_not_switched(self):
        self.assertEqual(0, self.source.count('migrateStartPostCopy'))
        self.assertNotIn('post-copy', self.story.told)
        self.assertEqual(0, self.destination.cut_over)


class TestPreCopy(MonitorTestCase):

    def test_busy_guest_switches_after_the_first_pass(self):
        self.source.at(1, job=copying(1))
        self.source.at(3, job=copying(2))
        self.switches()
        self.source.ends(5, state=scripted.MIGRATED)
        result = self.watch()

        self.assertEqual((End.COMPLETED, None, True), result)
        self.assertEqual(
            [('migrateSetMaxDowntime', 500), ('migrateStartPostCopy',)],
            self.source.asked)
        self.assertEqual(['pre-copy', 'post-copy', 'end'], self.story.told)
        self.assertEqual(1, self.destination.cut_over)

    def test_idle_guest_does_not_switch(self):
        self.source.at(1, job=copying(1))
        self.source.at(3, job=copying(2, MIB))
        self.source.ends(4, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assert_not_switched()

    def test_paused_guest_does_not_switch(self):
        self.requests.append('force-complete')
        self.source.become(scripted.PAUSED, copying(2))
        self.source.ends(4, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch(can_switch=False).end)
        self.assert_not_switched()

    def test_user_asks_for_the_switch(self):
        self.requests.append('force-complete')
        self.source.become(job=copying(1))
        self.switches()
        self.source.ends(4, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))
        self.assertEqual([], list(self.requests))

    def test_no_switch_while_disks_are_copied(self):
        self.requests.append('force-complete')
        self.source.become(job=copying(0, 0))
        self.source.ends(4, state=scripted.MIGRATED)
        self.watch()
        self.assert_not_switched()

    def test_pre_copy_takes_too_long(self):
        self.source.flows = True
        self.flags(live_migration_completion_timeout=5, group='libvirt')
        self.source.become(job=copying(0))
        self.source.at(2, job=copying(1))
        self.source.effects['migrateStartPostCopy'] = lambda: (
            self.source.become(scripted.POST_COPY),
            self.assertLess(self.clock.now, 14))
        self.source.ends(15, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))

    def test_status_is_saved_before_the_switch(self):
        self.completes_first_pass()
        told = []
        self.source.effects['migrateStartPostCopy'] = lambda: (
            told.extend(self.story.told))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual('post-copy', told[-1])

    def test_switch_before_qemu_is_ready_is_tried_again(self):
        self.source.flows = True
        self.completes_first_pass()
        self.source.errors['migrateStartPostCopy'].append(
            scripted.libvirt_error('not yet'))
        self.switches()
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))
        self.assertEqual(
            ['pre-copy', 'post-copy', 'pre-copy', 'post-copy', 'end'],
            self.story.told)

    def test_no_switch_over_a_network_that_is_silent(self):
        self.requests.append('force-complete')
        self.source.become(job=copying(1))
        self.source.errors['migrateStartPostCopy'].append(
            scripted.libvirt_error('not yet'))
        self.clock.at(20, lambda: setattr(self.source, 'flows', True))
        self.source.ends(30, state=scripted.MIGRATED)
        moments = []
        self.source.effects['migrateStartPostCopy'] = lambda: (
            moments.append(self.clock.now),
            self.source.become(scripted.POST_COPY))
        self.watch()
        [moment] = moments
        self.assertGreaterEqual(moment, 20)

    def test_no_switch_without_its_status(self):
        self.completes_first_pass()
        self.story.can_save.extend([False] * 100)
        self.source.ends(5, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assert_not_switched()

    def test_busy_libvirt_is_no_end(self):
        self.completes_first_pass(5)
        self.source.errors['jobStats'].append(names.busy())
        self.source.errors['state'].append(names.connection_lost())
        self.source.errors['get_guest'].extend(
            [exception.HypervisorUnavailable()] * 2)
        self.source.errors['migrateSetMaxDowntime'].append(names.busy())
        self.switches()
        self.source.ends(7, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))
        self.assertEqual(1, self.source.count('migrateSetMaxDowntime'))

    def test_nova_compute_stops(self):
        self.source.become(job=copying(1))
        self.clock.at(2, self.stopping.set)
        self.assertEqual((End.UNWATCHED, None, False), self.watch())
        # What libvirt does is left alone.
        self.assertEqual(['migrateSetMaxDowntime'],
                         [name for name, *_args in self.source.asked])


class TestWaking(MonitorTestCase):
    """What happens between two beats is not waited for."""

    def setUp(self):
        super().setUp()
        self.switched_at = []
        self.source.effects['migrateStartPostCopy'] = lambda: (
            self.source.become(scripted.POST_COPY),
            self.switched_at.append(self.clock.now))
        self.source.become(job=copying(1))
        self.watching = self.monitor()

    def test_boundary(self):
        self.source.at(2.3, job=copying(2))
        self.clock.at(2.3, lambda: self.watching.signals.at_boundary(2))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watching.watch()
        self.assertEqual([2.3], self.switched_at)

    def test_boundary_without_an_event(self):
        self.source.at(2.3, job=copying(2))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watching.watch()
        (second,) = self.switched_at
        self.assertLessEqual(second, 2.3 + monitor.BEAT_S)

    def test_user_asks_for_the_switch(self):
        self.clock.at(1.4, lambda: (
            self.requests.append('force-complete'),
            self.watching.signals.wake()))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watching.watch()
        self.assertEqual([1.4], self.switched_at)

    def test_result_of_a_measurement(self):
        self.source.dirty_rate = {
            'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURING}
        self.clock.at(1.1, lambda: self.source.dirty_rate.update({
            'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURED,
            'dirtyrate.calc_period': 1,
            'dirtyrate.megabytes_per_second': 512}))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watching.watch()
        (second,) = self.switched_at
        self.assertLessEqual(second, 1.1 + monitor.QUICK_BEAT_S)

    def test_end_of_the_operation(self):
        for second, error in ((1.6, None),
                              (3.1, scripted.libvirt_error('disk full'))):
            self.source.operation = futurist.Future()
            self.source.ends(second, error)
            self.watch()
            self.assertEqual(second, self.clock.now)

    def test_end_of_an_operation_that_resumed_it(self):
        self.source.become(scripted.BROKEN)
        self.source.operation.set_result(scripted.libvirt_error('broken'))
        self.source.at(2, state=scripted.POST_COPY, job=copying(3))
        self.clock.at(3.9, lambda: (
            self.source.become(scripted.MIGRATED, {}),
            self.destination.attempts[-1].set_result(None)))
        self.assertEqual((End.COMPLETED, None, True), self.watching.watch())
        self.assertEqual(3.9, self.clock.now)

    def test_nova_compute_stops(self):
        self.clock.at(1.2, lambda: (self.stopping.set(),
                                    self.watching.signals.wake()))
        self.assertIs(End.UNWATCHED, self.watching.watch().end)
        self.assertEqual(1.2, self.clock.now)

    def test_progress_is_saved_on_the_beat_all_the_same(self):
        self.flags(switch_policy='manual', group='post_copy')
        for tenth in range(1, 50):
            self.clock.at(tenth / 10, self.watching.signals.wake)
        self.source.ends(5, state=scripted.MIGRATED)
        self.watching.watch()
        self.assertIn(len(self.story.percents), (4, 5))


class TestTimeout(MonitorTestCase):
    """Pre-copy takes longer than it may, and nobody wants a switch."""

    def setUp(self):
        super().setUp()
        self.flags(switch_policy='manual', group='post_copy')
        self.flags(live_migration_completion_timeout=5,
                   live_migration_timeout_action='abort', group='libvirt')
        self.source.become(job=copying(1))
        self.source.at(4, job=copying(2))
        self.error = scripted.libvirt_error('canceled by client')
        self.source.effects['abortJob'] = lambda: self.source.ends(
            self.clock.now + 1, self.error)

    def test_aborted(self):
        # At least 2 GiB are counted.
        self.assertEqual(
            (End.STOPPED, 'pre-copy has not ended in the 10 s that it may '
             'take', False), self.watch())
        self.assertTrue(11 <= self.clock.now <= 13, self.clock.now)
        self.assertEqual(1, self.source.count('abortJob'))
        self.assert_not_switched()

    def test_refused_by_libvirt(self):
        self.source.errors['abortJob'].extend([names.busy()] * 3)
        self.assertIs(End.STOPPED, self.watch().end)
        self.assertEqual(1, self.source.count('abortJob'))

    def test_ends_by_itself_all_the_same(self):
        self.source.effects['abortJob'] = lambda: self.source.ends(
            self.clock.now + 1, state=scripted.MIGRATED)
        self.assertEqual((End.COMPLETED, None, True), self.watch())

    def test_completed_by_force_instead(self):
        self.source.flows = True
        self.flags(live_migration_timeout_action='force_complete',
                   group='libvirt')
        self.switches()
        self.source.ends(20, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual(0, self.source.count('abortJob'))
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))


class TestFigures(MonitorTestCase):
    """What is told of a migration in the end."""

    def setUp(self):
        super().setUp()
        self.requests.append('force-complete')
        self.source.become(job=copying(1))
        self.switches()
        self.source.at(3, job={
            **copying(2, 0), 'time_elapsed': 3000,
            'memory_postcopy_requests': 70, 'downtime': 48})
        self.source.ends(4.5, state=scripted.MIGRATED)

    def figures(self, completed=None, **kwargs):
        watching = self.monitor(**kwargs)
        if completed is not None:
            self.clock.at(4, lambda: setattr(
                watching.signals, 'completed', job.read(completed)))
        self.assertIs(End.COMPLETED, watching.watch().end)
        return watching.figures()

    def test_as_last_seen(self):
        self.assertEqual(
            'The server was degraded for 3.50 s. It was switched because: '
            'a user asked for it. It had to wait for 70 pages. In all 3.0 s, '
            'downtime 48 ms, moved 1024 MiB.', self.figures())

    def test_as_libvirt_tells_of_the_whole(self):
        self.assertEqual(
            'The server was degraded for 3.40 s. It was switched because: '
            'a user asked for it. It had to wait for 90 pages. In all 4.4 s, '
            'downtime 51 ms, moved 600 MiB.',
            self.figures(completed={
                'type': names.VIR_DOMAIN_JOB_COMPLETED,
                'time_elapsed': 4400, 'memory_postcopy_requests': 90,
                'downtime': 51, 'memory_processed': 600 * MIB}))

    def test_libvirt_counts_anew_after_an_interruption(self):
        self.source.at(3.2, state=scripted.BROKEN)
        self.source.at(4.2, state=scripted.POST_COPY)
        self.assertIn(
            'The server was degraded for 3.50 s.',
            self.figures(completed={
                'type': names.VIR_DOMAIN_JOB_COMPLETED,
                'time_elapsed': 900}))

    def test_switched_by_a_former_process(self):
        self.source.become(scripted.POST_COPY)
        self.assertEqual(
            'It had to wait for 70 pages. In all 3.0 s, downtime 48 ms, '
            'moved 1024 MiB.', self.figures(restarted=True))


class TestFailureBeforeTheSwitch(MonitorTestCase):

    def setUp(self):
        super().setUp()
        self.source.become(job=copying(1))

    def test_abort(self):
        error = scripted.aborted()
        self.source.ends(1, error)
        self.assertEqual((End.CANCELLED, error, False), self.watch())

    def test_abort_that_libvirt_calls_a_failure(self):
        error = scripted.libvirt_error('Unable to write to socket')
        self.source.at(1, job=copying(2))
        self.source.ends(2, error)
        watching = self.monitor()
        watching.abort_requested = True
        self.assertEqual((End.CANCELLED, error, False), watching.watch())
        self.assert_not_switched()

    def test_failure(self):
        for error in (scripted.libvirt_error('disk full'),
                      ValueError('no such volume')):
            self.source.operation = futurist.Future()
            self.source.ends(self.clock.now + 1, error)
            self.assertEqual((End.FAILED, error, False), self.watch())

    def test_guest_that_libvirt_has_paused(self):
        error = scripted.libvirt_error('disk full')
        self.source.ends(1, error, state=scripted.PAUSED)
        self.assertEqual((End.FAILED, error, False), self.watch())

    def test_guest_has_left_all_the_same(self):
        for left in (scripted.MIGRATED, None):
            self.source.operation = futurist.Future()
            if left is None:
                self.clock.at(self.clock.now + 1, lambda: (
                    self.source.errors['state'].append(
                        scripted.no_domain())))
            self.source.ends(
                self.clock.now + 1, names.connection_lost(), state=left)
            # Nobody has seen it arrive.
            self.assertEqual((End.COMPLETED, None, False), self.watch())

    def test_qemu_dies(self):
        self.source.ends(1, scripted.libvirt_error('died'),
                         state=scripted.CRASHED)
        self.destination.condition = Condition.ABSENT
        self.assertEqual(
            (End.FAILED, 'its QEMU on the source has ended', False),
            self.watch())

    def test_libvirt_is_restarted(self):
        error = names.connection_lost()
        self.source.ends(1, error)
        # Only when it is back can it say where the guest is.
        away = self.source.errors['get_guest']
        away.extend([exception.HypervisorUnavailable()] * 100)
        self.clock.at(9, away.clear)
        self.assertEqual((End.FAILED, error, False), self.watch())
        self.assertEqual(9, self.clock.now)

    def test_job_goes_on_without_its_call(self):
        self.clock.at(1, lambda: self.source.operation.set_result(
            names.connection_lost()))
        self.source.at(2, job=copying(2))
        self.switches()
        self.source.at(5, state=scripted.MIGRATED, job={})
        self.assertEqual((End.COMPLETED, None, False), self.watch())
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))


class PostCopyTestCase(MonitorTestCase):
    """The guest runs on the destination, memory is missing."""

    def setUp(self):
        super().setUp()
        self.source.become(scripted.POST_COPY)
        self.moves()

    def breaks(self, second, error=None):
        self.source.ends(
            second, error or scripted.libvirt_error('Broken pipe'),
            state=scripted.BROKEN)

    def resumes(self, second, error=None):
        """Let the newest attempt to resume end well, or not."""
        def resume():
            if error is None:
                self.source.become(scripted.POST_COPY)
                self.moves()
            else:
                self.destination.attempts[-1].set_result(error)
        self.clock.at(second, resume)

    def arrives(self, second):
        def arrive():
            self.source.become(scripted.MIGRATED, {})
            self.destination.attempts[-1].set_result(None)
        self.clock.at(second, arrive)


class TestInterrupted(PostCopyTestCase):

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

    def test_broken_although_libvirt_still_waits(self):
        self.source.at(2, state=scripted.BROKEN)
        self.source.ends(4, scripted.libvirt_error('late'))
        self.resumes(6)
        self.arrives(7)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertIn('interrupted: the stream does not move',
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
        self.clock.at(30, lambda: setattr(self.destination, 'decided', True))
        result = self.watch()
        self.assertIs(End.LOST, result.end)
        self.assertIn('its state was reset', result.error)

    def test_qemu_on_the_destination_dies(self):
        self.breaks(2)
        self.destination.condition = Condition.SHUTOFF
        self.destination.error = scripted.libvirt_error('no domain')
        self.assertEqual(
            (End.LOST, 'its QEMU on the destination has ended', False),
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
                (End.LOST, 'its QEMU on the source has ended', False),
                self.watch())

    def test_nova_compute_stops(self):
        self.breaks(2)
        self.clock.at(3, self.stopping.set)
        self.assertIs(End.UNWATCHED, self.watch().end)


class TestDeadStream(PostCopyTestCase):

    def setUp(self):
        super().setUp()
        self.source.effects['abortJobFlags'] = lambda: self.breaks(
            self.clock.now)

    def test_is_broken_off_and_resumed(self):
        self.clock.at(5, self.stands_still)
        self.clock.at(9.5, lambda: self.assertEqual(
            [('abortJobFlags', names.VIR_DOMAIN_ABORT_JOB_POSTCOPY)],
            self.source.asked))
        self.resumes(12)
        self.arrives(13)
        self.assertEqual((End.COMPLETED, None, True), self.watch())

    def test_stream_that_moves_is_left_alone(self):
        self.source.ends(60, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual([], self.source.asked)

    def test_is_left_alone_before_the_guest_has_got_there(self):
        # Broken off at this moment it could not be resumed.
        self.clock.at(5, self.stands_still)
        for there in (None, Condition.MIGRATING):
            self.destination.condition = there
            self.source.ends(self.clock.now + 30, state=scripted.MIGRATED)
            self.assertIs(End.COMPLETED, self.watch().end)
            self.source.operation = futurist.Future()
            self.source.become(scripted.POST_COPY, copying(3))
        self.assertEqual(0, self.source.count('abortJobFlags'))

    def test_refused_by_libvirt(self):
        self.clock.at(5, self.stands_still)
        self.source.errors['abortJobFlags'].append(names.busy())
        self.resumes(20)
        self.arrives(21)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual(1, self.source.count('abortJobFlags'))

    def test_is_dead_after_it_was_resumed(self):
        self.breaks(2)
        self.resumes(4)
        self.clock.at(6, self.stands_still)
        self.source.effects['abortJobFlags'] = lambda: (
            self.source.become(scripted.BROKEN),
            self.destination.attempts[-1].set_result(
                scripted.libvirt_error('broken off')))
        self.resumes(20)
        self.arrives(21)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual(1, self.source.count('abortJobFlags'))


class TestRestart(MonitorTestCase):
    """A former process has made libvirt's call."""

    def test_in_pre_copy(self):
        self.source.become(job=copying(1))
        self.source.at(2, job=copying(2))
        self.switches()
        self.source.at(5, state=scripted.MIGRATED, job={})
        self.assertEqual((End.COMPLETED, None, False),
                         self.watch(restarted=True))
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))

    def test_rolled_back_meanwhile(self):
        self.assertEqual(
            (End.FAILED, 'not known, because nova-compute was restarted',
             False),
            self.watch(restarted=True))

    def test_rolled_back_afterwards(self):
        self.source.become(job=copying(1))
        self.source.at(2, job={'type': names.VIR_DOMAIN_JOB_NONE})
        self.assertIs(End.FAILED, self.watch(restarted=True).end)

    def test_aborted_afterwards(self):
        self.source.become(job=copying(1))
        self.source.at(2, job={})
        watching = self.monitor(restarted=True)
        watching.abort_requested = True
        self.assertIs(End.CANCELLED, watching.watch().end)

    def test_in_post_copy(self):
        self.source.become(scripted.POST_COPY)
        self.moves()
        self.source.at(5, state=scripted.MIGRATED, job={})
        self.assertEqual((End.COMPLETED, None, False),
                         self.watch(restarted=True))
        self.assertEqual(['post-copy', 'end'], self.story.told)

    def test_while_the_stream_was_broken(self):
        self.source.become(scripted.BROKEN)
        self.source.at(3, state=scripted.POST_COPY)
        self.clock.at(4, lambda: (
            self.source.become(scripted.MIGRATED),
            self.destination.attempts[-1].set_result(None)))
        self.assertEqual((End.COMPLETED, None, True),
                         self.watch(restarted=True))

    def test_guest_has_left_meanwhile(self):
        self.source.become(scripted.MIGRATED)
        self.assertEqual((End.COMPLETED, None, False),
                         self.watch(restarted=True))

    def test_host_was_restarted(self):
        self.source.become(scripted.CRASHED)
        for there, end in (
                (Condition.ABSENT, End.FAILED),
                (Condition.SHUTOFF, End.FAILED),
                # A nova-compute that cannot say: without our package.
                (Condition.UNKNOWN, End.FAILED),
                # It had switched before.
                (Condition.POST_COPY, End.LOST),
                (Condition.BROKEN, End.LOST),
                (Condition.RUNNING, End.COMPLETED),
                (Condition.PAUSED, End.COMPLETED)):
            self.destination.condition = there
            result = self.watch(restarted=True)
            self.assertEqual((end, end is End.COMPLETED),
                             (result.end, result.arrived))

    def test_both_hosts_were_restarted_after_the_switch(self):
        self.source.become(scripted.CRASHED)
        self.destination.condition = Condition.ABSENT
        self.story.switched = True
        self.assertIs(End.LOST, self.watch(restarted=True).end)

    def test_host_was_restarted_and_the_destination_is_silent(self):
        self.source.become(scripted.CRASHED)
        self.destination.condition = None
        self.clock.at(90, lambda: setattr(
            self.destination, 'condition', Condition.BROKEN))
        self.assertIs(End.LOST, self.watch(restarted=True).end)
        self.assertGreaterEqual(self.clock.now, 90)

    def test_dead_stream(self):
        self.source.become(scripted.POST_COPY, copying(3))
        self.source.effects['abortJobFlags'] = lambda: (
            self.source.become(scripted.BROKEN, {}))
        self.clock.at(8, lambda: (
            self.source.become(scripted.MIGRATED),
            self.destination.attempts[-1].set_result(None)))
        self.assertIs(End.COMPLETED, self.watch(restarted=True).end)


class TestBetween(MonitorTestCase):
    """The guest stands still, and libvirt has forgotten its job."""

    def setUp(self):
        super().setUp()
        self.source.become(scripted.MIGRATING)
        self.source.effects['resume'] = lambda: self.source.become(
            scripted.RUNNING)
        self.source.effects['destroy'] = lambda: self.source.become(
            scripted.CRASHED)

    def _asked(self):
        return [name for name, *_args in self.source.asked]

    def test_for_a_moment(self):
        self.source.at(5, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch(restarted=True).end)
        self.assertEqual([], self._asked())

    def test_as_long_as_its_job_runs(self):
        self.source.become(job=copying(2, 0))
        self.source.at(60, state=scripted.MIGRATED, job={})
        self.assertIs(End.COMPLETED, self.watch(restarted=True).end)
        self.assertNotIn('destroy', self._asked())
        self.assertNotIn('resume', self._asked())

    def test_runs_on_the_destination(self):
        self.destination.condition = Condition.RUNNING
        self.assertEqual((End.COMPLETED, None, True),
                         self.watch(restarted=True))
        self.assertEqual(['destroy'], self._asked())

    def test_did_not_get_to_the_destination(self):
        for nothing in (Condition.ABSENT, Condition.SHUTOFF):
            self.source.become(scripted.MIGRATING)
            self.destination.condition = nothing
            self.assertIs(End.FAILED, self.watch(restarted=True).end)
        self.assertEqual(['resume', 'resume'], self._asked())

    def test_nothing_is_done_without_an_answer(self):
        for nobody_knows in (None, Condition.UNKNOWN, Condition.MIGRATING,
                             Condition.BROKEN):
            self.destination.condition = nobody_knows
            self.source.at(self.clock.now + 100, state=scripted.MIGRATED)
            self.source.become(scripted.MIGRATING)
            self.assertIs(End.COMPLETED, self.watch(restarted=True).end)
        self.assertEqual([], self._asked())

    def test_refused_by_libvirt(self):
        self.destination.condition = Condition.RUNNING
        self.source.errors['destroy'].append(names.busy())
        self.assertIs(End.COMPLETED, self.watch(restarted=True).end)
        self.assertEqual(['destroy'], self._asked())
