# SPDX-License-Identifier: Apache-2.0

import collections
import datetime

import fixtures
import futurist
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects
from nova import test
from nova.tests.unit import fake_instance
from oslo_db import exception as db_exception
import oslo_messaging as messaging

from nova_post_copy import exception
from nova_post_copy.migration import reporter
from nova_post_copy.migration import write_queue
from nova_post_copy.virt.libvirt import job
from tests.unit.nova_post_copy.migration import scripted

NOW = datetime.datetime(2026, 11, 28, tzinfo=datetime.timezone.utc)
DEGRADED = 'compute_live_migration_post_copy_degraded'
EVENT = 'compute_live_migration_post_copy'
RECOVERY = 'compute_live_migration_post_copy_recovery'

STATISTICS = job.Statistics(
    memory_total=400, memory_processed=300, memory_remaining=100,
    memory_visited=300, memory_iteration=1, memory_bps=100, disk_total=0,
    disk_processed=0, disk_remaining=0, page_requests=0, elapsed=3.0,
    downtime=0.0)


def _at_once(function, *args):
    future = futurist.Future()
    future.set_result(function(*args))
    return future


class TestReporter(test.NoDBTestCase):
    """What is written to where users look, in its order."""

    def setUp(self):
        super().setUp()
        self.written = []
        self.errors = collections.deque()
        #: the status, if somebody else has saved one
        self.in_database = None
        self.faults = []
        self.now = 0.0
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.migration.write_queue.time.monotonic',
            lambda: self.now))
        for name, function in (
                ('nova.objects.Migration.save', self._save_migration),
                ('nova.objects.Instance.save', self._save_instance),
                ('nova.objects.Migration.get_by_id',
                 lambda *args: objects.Migration(
                     status=self.in_database or self.migration.status)),
                ('nova.objects.Instance.get_by_uuid',
                 lambda *args: self.instance),
                ('nova.objects.InstanceFaultList.get_latest_by_instance_uuids',
                 lambda *args: self.faults),
                ('nova_post_copy.notifications.notify', self._notify),
                ('nova_post_copy.instance_fault.create',
                 lambda context, instance, fault: self._write(
                     'fault', fault.format_message())),
                ('nova.objects.InstanceActionEvent.event_start',
                 lambda cls, context, uuid, event, **kwargs: self._write(
                     'start', event)),
                ('nova.objects.InstanceActionEvent.event_finish',
                 lambda cls, context, uuid, event, **kwargs: self._write(
                     'success', event)),
                ('nova_post_copy.conductor.rpcapi.PostCopyConductorAPI',
                 lambda: self),
                ('nova.objects.InstanceActionEvent.event_finish_with_failure',
                 lambda cls, context, uuid, event, **kwargs: self._write(
                     'failure', event))):
            self.useFixture(fixtures.MonkeyPatch(name, function))
        self.context = nova_context.get_admin_context()
        self.instance = fake_instance.fake_instance_obj(
            self.context, vm_state=vm_states.ACTIVE)
        self.instance.obj_reset_changes()

    def reporter(self, status='running', **fields):
        self.migration = objects.Migration(
            id=17, status=status, created_at=NOW, **fields)
        return reporter.Reporter(
            self.context, self.instance, self.migration, 'src', 'dest',
            write_queue.WriteQueue(_at_once))

    def go_on(self, told):
        """Let what has failed be tried again."""
        self.now += write_queue.RETRY_INTERVAL_S
        told.go_on()

    def finish_event(self, context, uuid, event, details):
        self._write('details', event, details)

    def _write(self, *what):
        if self.errors:
            raise self.errors.popleft()
        self.written.append(what)

    def _save_migration(self, migration):
        self._write('status', migration.status)

    def _save_instance(self, instance):
        if 'vm_state' in instance.obj_what_changed():
            self._write('vm_state', instance.vm_state)
            instance.obj_reset_changes()

    def _notify(self, context, instance, host, phase, exc=None):
        self._write('notification', host, phase)

    def wrote(self, *expected):
        self.assertEqual(list(expected), self.written)
        self.written.clear()

    def test_progress(self):
        self.useFixture(scripted.Names())
        self.instance.progress = 90     # of its last migration
        told = self.reporter()
        told.progress(STATISTICS, 75)
        self.assertEqual((400, 300, 100), (
            self.migration.memory_total, self.migration.memory_processed,
            self.migration.memory_remaining))
        self.assertEqual(75, self.instance.progress)
        # It does not fall when the guest writes to what was sent.
        told.progress(STATISTICS._replace(memory_remaining=200), 60)
        self.assertEqual(200, self.migration.memory_remaining)
        self.assertEqual(75, self.instance.progress)
        told.progress(STATISTICS, 80)
        self.assertEqual(80, self.instance.progress)

    def test_progress_after_a_restart(self):
        self.useFixture(scripted.Names())
        self.instance.progress = 60
        told = self.reporter(memory_total=400)
        told.progress(STATISTICS, 20)
        self.assertEqual(60, self.instance.progress)

    def test_switched_over(self):
        told = self.reporter()
        told.switching()
        told.switched_over()
        self.wrote(('status', 'running (post-copy)'), ('start', DEGRADED))
        told.arrived('it took long')
        self.wrote(('details', DEGRADED, 'it took long'))

    def test_figures_without_a_conductor_that_keeps_them(self):
        for error in (messaging.MessagingTimeout(),
                      messaging.RemoteError(),
                      nova_exception.InstanceActionNotFound(
                          request_id='req', instance_uuid='uuid')):
            told = self.reporter('running (post-copy)')
            self.errors.append(error)
            told.arrived('it took long')
            self.wrote(('success', DEGRADED))

    def test_status_is_written_when_it_changes(self):
        told = self.reporter()
        told.moving(switched=False)
        self.wrote()
        told.moving(switched=True)
        told.moving(switched=True)
        self.wrote(('status', 'running (post-copy)'))
        told.moving(switched=False)
        self.wrote(('status', 'running'))

    def test_switching(self):
        told = self.reporter()
        self.assertTrue(told.switching())
        self.wrote(('status', 'running (post-copy)'))
        told.moving(switched=True)
        self.wrote()

    def test_switching_without_its_status(self):
        told = self.reporter()
        for error in (messaging.MessagingTimeout(), db_exception.DBError()):
            self.errors.append(error)
            self.assertFalse(told.switching())
            self.assertEqual('running', self.migration.status)
            self.wrote()
        self.assertTrue(told.switching())

    def test_status_is_written_until_it_is(self):
        told = self.reporter('running (post-copy)')
        self.errors.extend([db_exception.DBError()] * 3)
        told.interrupted('Broken pipe')
        told.go_on()
        # Not at once, and what happened later waits for it.
        self.wrote()
        for _time in range(8):
            self.go_on(told)
        self.wrote(('status', 'interrupted (post-copy)'),
                   ('start', RECOVERY),
                   ('notification', 'src', 'start'))

    def test_given_up_meanwhile(self):
        told = self.reporter('interrupted (post-copy)')
        self.in_database = 'error'
        self.instance.vm_state = vm_states.ERROR
        self.instance.obj_reset_changes()
        told.resumed()
        self.wrote(('success', RECOVERY),
                   ('notification', 'src', 'end'))

    def test_given_up_before_the_switch(self):
        told = self.reporter()
        self.in_database = 'error'
        self.assertFalse(told.switching())
        self.wrote()

    def test_break_and_recovery(self):
        told = self.reporter('running (post-copy)')
        told.interrupted('Broken pipe')
        self.wrote(('status', 'interrupted (post-copy)'),
                   ('start', RECOVERY),
                   ('notification', 'src', 'start'))
        told.resumed()
        self.wrote(('status', 'running (post-copy)'),
                   ('success', RECOVERY),
                   ('notification', 'src', 'end'))
        told.arrived()
        self.wrote(('success', DEGRADED))

    def test_break_was_told_before_a_restart(self):
        told = self.reporter('interrupted (post-copy)')
        told.interrupted('nova-compute was restarted')
        self.wrote()
        told.resumed()
        self.wrote(('status', 'running (post-copy)'),
                   ('success', RECOVERY),
                   ('notification', 'src', 'end'))

    def test_each_break_is_told(self):
        told = self.reporter('running (post-copy)')
        for _time in range(2):
            told.interrupted('Broken pipe')
            self.assertIn(('start', RECOVERY), self.written)
            told.resumed()
            self.written.clear()

    def test_lost(self):
        fault = exception.PostCopyLost(host='src', dest='dest', reason='why')
        told = self.reporter('running (post-copy)')
        told.interrupted('Broken pipe')
        self.written.clear()
        told.lost(fault)
        self.wrote(('failure', RECOVERY), ('failure', DEGRADED),
                   ('notification', 'src', 'error'))

    def test_lost_without_a_break(self):
        told = self.reporter('running (post-copy)')
        told.lost(exception.PostCopyLost(
            host='src', dest='dest', reason='why'))
        self.wrote(('failure', DEGRADED), ('notification', 'src', 'error'))

    def test_unreachable_until_it_goes_on(self):
        self.flags(error_when_unreachable=True, group='post_copy')
        told = self.reporter('interrupted (post-copy)')
        told.unreachable()
        (state, (kind, message), *event) = self.written
        self.assertEqual(('vm_state', 'error'), state)
        self.assertEqual('fault', kind)
        self.assertIn('dest, where the server should run, does not answer',
                      message)
        self.assertEqual([('start', EVENT), ('failure', EVENT),
                          ('notification', 'src', 'progress')], event)
        self.written.clear()

        told.resumed()
        self.assertIn(('vm_state', 'active'), self.written)
        self.written.clear()
        told.arrived()
        self.wrote(('success', DEGRADED))

    def test_unreachable_without_error(self):
        # The server runs, as far as anybody knows.
        told = self.reporter('interrupted (post-copy)')
        told.unreachable()
        self.assertEqual(
            ['fault', 'start', 'failure', 'notification'],
            [kind for kind, *_what in self.written])

    def test_unreachable_is_told_once(self):
        message = exception.PostCopyUnreachable(
            host='src', dest='dest').format_message()
        for told_at, status, times in (
                (NOW, 'interrupted (post-copy)', 0),
                # Of a migration before.
                (NOW - datetime.timedelta(1), 'interrupted (post-copy)', 1),
                # This process has seen it break once more.
                (NOW, 'running (post-copy)', 1)):
            self.faults = [objects.InstanceFault(
                created_at=told_at, details=message)]
            told = self.reporter(status)
            told.interrupted('Broken pipe')
            self.written.clear()
            told.unreachable()
            self.assertEqual(
                times, [kind for kind, *_what in self.written].count('fault'))

    def test_the_destination_has_reported_an_error(self):
        # While this host could reach nobody; its object knows nothing of it.
        told = self.reporter('interrupted (post-copy)')
        found = self.instance.obj_clone()
        found.vm_state = vm_states.ERROR
        found.obj_reset_changes()
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.Instance.get_by_uuid', lambda *args: found))
        told.resumed()
        self.assertIn(('vm_state', 'active'), self.written)

    def test_unreachable_and_then_it_has_arrived(self):
        self.flags(error_when_unreachable=True, group='post_copy')
        told = self.reporter('interrupted (post-copy)')
        told.unreachable()
        self.written.clear()
        told.arrived()
        self.wrote(('vm_state', 'active'), ('success', RECOVERY),
                   ('notification', 'src', 'end'), ('success', DEGRADED))

    def test_paused_server_stays_so(self):
        self.instance.vm_state = vm_states.PAUSED
        self.reporter().arrived()
        self.assertEqual(vm_states.PAUSED, self.instance.vm_state)

    def test_database_away_while_it_breaks(self):
        told = self.reporter('running (post-copy)')
        self.errors.extend([db_exception.DBError()] * 3)
        told.interrupted('Broken pipe')
        self.wrote()
        told.resumed()
        # The newer status replaces the one that could not be written.
        for _time in range(8):
            self.go_on(told)
        self.wrote(('status', 'running (post-copy)'),
                   ('success', RECOVERY),
                   ('notification', 'src', 'end'))
        told.finish()
