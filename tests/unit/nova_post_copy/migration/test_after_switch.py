# SPDX-License-Identifier: Apache-2.0

import fixtures
import futurist

from lab.simulation import names
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.migration.result import End
from nova_post_copy.virt.libvirt import job
from tests.unit.nova_post_copy.migration import base
from tests.unit.nova_post_copy.migration import scripted
from tests.unit.nova_post_copy.migration.scripted import copying

MIB = scripted.MIB


class TestDeadStream(base.PostCopyTestCase):

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
        # A stream that is broken now could not be resumed.
        self.clock.at(5, self.stands_still)
        for there in (None, Condition.MIGRATING):
            self.destination.condition = there
            self.source.ends(self.clock.now + 30, state=scripted.MIGRATED)
            self.assertIs(End.COMPLETED, self.watch().end)
            self.source.operation = futurist.Future()
            self.source.become(scripted.POST_COPY, copying(3))
        self.assertEqual(0, self.source.count('abortJobFlags'))

    def test_is_left_to_tcp_where_it_may_not_be_resumed(self):
        log = self.useFixture(fixtures.FakeLogger())
        self.destination.resume_refusal = 'it crashes'
        self.clock.at(5, self.stands_still)
        self.clock.at(60, self.moves)
        self.source.ends(80, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual([], self.source.asked)
        self.assertEqual([], self.destination.attempts)
        self.assertEqual(
            1, log.output.count('is left to TCP: it crashes'))

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
                scripted.libvirt_error('cannot abort')))
        self.resumes(20)
        self.arrives(21)
        self.assertIs(End.COMPLETED, self.watch().end)
        self.assertEqual(1, self.source.count('abortJobFlags'))


class TestFigures(base.MonitorTestCase):
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
        watching = self.migration()
        if completed is not None:
            self.clock.at(4, lambda: setattr(
                watching.signals, 'completed', job.read(completed)))
        self.assertIs(End.COMPLETED, self.watch(watching, **kwargs).end)
        return watching.summary.figures(watching.signals.completed)

    def test_as_last_seen(self):
        self.assertEqual(
            'The server was degraded for 3.50 s. Reason for the switch: '
            'a user forced the switch. Pages fetched on demand: 70. Total '
            '3.0 s, downtime 48 ms, 1024 MiB moved.', self.figures())

    def test_as_libvirt_tells_of_the_whole(self):
        self.assertEqual(
            'The server was degraded for 3.40 s. Reason for the switch: '
            'a user forced the switch. Pages fetched on demand: 90. Total '
            '4.4 s, downtime 51 ms, 600 MiB moved.',
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
            'Pages fetched on demand: 70. Total 3.0 s, downtime 48 ms, '
            '1024 MiB moved.', self.figures(restarted=True))
