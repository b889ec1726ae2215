# SPDX-License-Identifier: Apache-2.0

import testtools

from lab.faults.case import End
from lab.faults.case import Fault
from lab.faults.observation import Injection
from lab.faults import verdict
from lab.faults import view
from tests.unit.lab.faults import base


class WayTest(testtools.TestCase):

    def judge(self, case=None, **changes) -> list[str]:
        return verdict.judge_way(base.observation(case, **changes))

    def test_all_is_well(self):
        self.assertEqual([], self.judge())

    def test_two_copies(self):
        self.assertEqual(['two copies were running: host-a and host-b'],
                         self.judge(twice=['host-a and host-b']))

    def test_image_removed_too_soon(self):
        self.assertEqual(
            ['removed too soon: uuid_disk, while QEMU ran on host-b'],
            self.judge(removed=['uuid_disk, while QEMU ran on host-b']))

    def test_wrong_pages(self):
        self.assertIn('3 pages', self.judge(wrong_pages=3)[0])

    def test_started_anew(self):
        self.assertIn('went back', self.judge(setbacks=1)[0])
        self.assertEqual([], self.judge(base.case(restarts=True), setbacks=1))

    def test_silence(self):
        # The cut was 5 s long, from 105 on.
        self.assertEqual([], self.judge(
            moments=[*range(95, 106), *range(115, 121)]))
        self.assertEqual(
            ['the guest was silent for 11.0 s, 6.0 s more than the network '
             'was cut'],
            self.judge(moments=[*range(95, 106), *range(116, 121)]))

    def test_silence_on_a_slow_machine(self):
        moments = [*range(95, 106), *range(116, 121)]
        self.assertEqual([], self.judge(moments=moments, slowness=1.3))
        self.assertEqual(1, len(self.judge(moments=moments, slowness=1.1)))

    def test_permitted_silence_has_an_end(self):
        for slowness, seconds in ((1.0, 5.0), (2.0, 10.0), (30.0, 20.0)):
            self.assertEqual(seconds, verdict.permitted_silence(
                base.observation(slowness=slowness)))

    def test_a_guest_that_is_lost_is_silent(self):
        self.assertEqual([], self.judge(base.case(End.LOST), moments=[95]))
        self.assertEqual([], self.judge(base.case(End.ANY), moments=[95],
                                        final=base.lost()))
        self.assertNotEqual([], self.judge(base.case(End.ANY), moments=[95]))

    def test_moment_missed(self):
        missed = base.observation(injections=[
            Injection(Fault('cut', seconds=5), 105.0, hit=False)],
            moments=[95], final=base.final(base.SOURCE, 'error'))
        self.assertEqual(['the moment for "cut for 5 s" was missed'],
                         verdict.judge(missed))
        # What is wrong at any moment.
        missed.twice.append('host-a and host-b')
        self.assertEqual(2, len(verdict.judge(missed)))

    def test_shown_in_error(self):
        shown = {'ACTIVE', 'MIGRATING', 'ERROR'}
        self.assertEqual(['Nova has shown the server in ERROR'],
                         self.judge(shown=shown))
        self.assertEqual([], self.judge(shown=shown - {'ERROR'}))
        # It is lost, or a user has said so.
        self.assertEqual([], self.judge(base.case(End.ANY), shown=shown,
                                        final=base.lost()))
        self.assertEqual([], self.judge(
            base.case(fault=Fault('reset state to error')), shown=shown))

    def test_process_of_the_cloud_is_gone(self):
        self.assertEqual(['nova-conductor has ended and was not to'],
                         self.judge(missing=['nova-conductor']))

    def _answered(self, expected, code) -> list[str]:
        return self.judge(injections=[Injection(
            Fault('abort', answer=expected), 105.0, True,
            answer=(code, 'text'))])

    def test_answers(self):
        self.assertEqual([], self._answered('refused', 409))
        self.assertEqual([], self._answered('accepted', 202))
        self.assertEqual([], self._answered(None, 409))
        self.assertEqual(['"abort" was accepted (202 text)'],
                         self._answered('refused', 202))
        self.assertEqual(['"abort" was answered with 500: text'],
                         self._answered(None, 500))


class EndTest(testtools.TestCase):

    def judge(self, end: End, final) -> list[str]:
        return verdict.judge_end(base.observation(
            base.case(end), final=final))

    def test_right_ends(self):
        moved, stayed = base.final(), base.final(base.SOURCE, 'error')
        for end, final in (
                (End.COMPLETED, moved), (End.STAYED, stayed),
                (End.STAYED, base.final(base.SOURCE, 'cancelled')),
                (End.EITHER, moved), (End.EITHER, stayed),
                (End.LOST, base.lost())):
            self.assertEqual([], self.judge(end, final))

    def test_any_end(self):
        for final in (base.final(), base.final(base.SOURCE, 'error'),
                      base.lost()):
            self.assertEqual([], self.judge(End.ANY, final))
        self.assertNotEqual([], self.judge(End.EITHER, base.lost()))

    def test_wrong_host(self):
        self.assertNotEqual([], self.judge(
            End.COMPLETED, base.final(base.SOURCE, 'error')))
        self.assertNotEqual([], self.judge(End.STAYED, base.final()))
        # Moved by the record, and not moved.
        self.assertNotEqual([], self.judge(
            End.EITHER, base.final(base.SOURCE, 'completed')))

    def test_every_fact_counts(self):
        server = base.final().server
        for changes in (
                {'server': server | {'OS-EXT-SRV-ATTR:host': base.SOURCE}},
                {'server': server | {'status': 'ERROR'}},
                {'server': server | {'OS-EXT-STS:task_state': 'migrating'}},
                {'server': server | {'OS-EXT-STS:power_state': 0}},
                {'server': None},
                {'migration': {'status': 'running (post-copy)'}},
                {'migration': None},
                {'allocations': {}},
                {'allocations': {base.SOURCE: base.RESOURCES}},
                {'allocations': {base.SOURCE: base.RESOURCES,
                                 base.DESTINATION: base.RESOURCES}},
                {'migration_allocations': {base.SOURCE: base.RESOURCES}},
                {'domains': {base.SOURCE: 'paused',
                             base.DESTINATION: view.RUNNING}},
                {'domains': {base.SOURCE: view.ABSENT,
                             base.DESTINATION: 'running (post-copy)'}},
                {'processes': {base.SOURCE: 1, base.DESTINATION: 1}},
                {'processes': {}},
                {'disks': [base.SOURCE, base.DESTINATION]},
                {'disks': []},
                {'durable': [base.SOURCE]},
                {'bindings': {base.SOURCE: 'ACTIVE',
                              base.DESTINATION: 'INACTIVE'}}):
            self.assertEqual(
                1, len(self.judge(End.COMPLETED, base.final(**changes))),
                changes)

    def test_without_a_port_there_is_no_binding(self):
        self.assertEqual([], self.judge(
            End.COMPLETED, base.final(bindings=None)))

    def test_one_directory_for_all_hosts(self):
        both = [base.SOURCE, base.DESTINATION]
        for disks, wrong in ((both, 0), ([base.DESTINATION], 1), ([], 1)):
            self.assertEqual(wrong, len(self.judge(
                End.COMPLETED, base.final(shared=True, disks=disks))))

    def test_lost(self):
        server = base.lost().server
        for changes in (
                {'server': server | {'status': 'ACTIVE'}},
                {'server': server | {'OS-EXT-SRV-ATTR:host': base.SOURCE}},
                {'server': server | {'fault': {}}},
                {'disks': [base.SOURCE]},
                {'migration': {'status': 'completed'}},
                # neutron would refuse the next move to the source.
                {'bindings': {base.SOURCE: 'INACTIVE',
                              base.DESTINATION: 'ACTIVE'}},
                {'domains': {base.SOURCE: view.ABSENT,
                             base.DESTINATION: 'shut off (crashed)'}},
                {'domains': {base.SOURCE: view.RUNNING,
                             base.DESTINATION: 'shut off (crashed)'}}):
            self.assertEqual(
                1, len(self.judge(End.LOST, base.lost(**changes))), changes)

    def test_stopped(self):
        for end, final in (
                (End.STOPPED, base.stopped()),
                (End.STAYED_STOPPED, base.stopped(base.SOURCE, 'error'))):
            self.assertEqual([], self.judge(end, final))
        server = base.stopped().server
        for changes in (
                {'server': server | {'status': 'ERROR'}},
                {'server': server | {'OS-EXT-STS:power_state': 1}},
                {'migration': {'status': 'error'}},
                {'processes': {base.SOURCE: 1}},
                {'disks': [base.SOURCE, base.DESTINATION]},
                {'bindings': {base.SOURCE: 'ACTIVE'}},
                {'domains': {base.SOURCE: view.ABSENT,
                             base.DESTINATION: 'in shutdown'}},
                {'domains': {base.SOURCE: view.PAUSED_POST_COPY_FAILED,
                             base.DESTINATION: view.SHUT_OFF}}):
            self.assertEqual(1, len(self.judge(
                End.STOPPED, base.stopped(**changes))), changes)

    def test_deleted(self):
        self.assertEqual([], self.judge(End.DELETED, base.deleted()))
        there = vars(base.final())
        for name in ('server', 'allocations', 'domains', 'processes', 'disks',
                     'bindings'):
            self.assertEqual(1, len(self.judge(
                End.DELETED, base.deleted(**{name: there[name]}))))

    def test_end_not_seen(self):
        self.assertEqual(['the end was not seen'],
                         self.judge(End.COMPLETED, None))
