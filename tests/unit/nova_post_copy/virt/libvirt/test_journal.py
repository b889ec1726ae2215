# SPDX-License-Identifier: Apache-2.0

import collections

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
from nova_post_copy.virt.libvirt import job
from nova_post_copy.virt.libvirt import journal
from nova_post_copy.virt.libvirt import report
from tests.unit.nova_post_copy.virt.libvirt import scripted

DEGRADED = 'compute_live_migration_post_copy_degraded'
EVENT = 'compute_live_migration_post_copy'
RECOVERY = 'compute_live_migration_post_copy_recovery'

STATISTICS = job.Statistics(
    memory_total=400, memory_processed=300, memory_remaining=100,
    memory_iteration=1, memory_bps=100, disk_total=0, disk_processed=0,
    disk_remaining=0, page_requests=0, elapsed=3.0, downtime=0.0)


def _at_once(function, *args):
    future = futurist.Future()
    future.set_result(function(*args))
    return future


class TestJournal(test.NoDBTestCase):
    """What is written to where users look, in its order."""

    def setUp(self):
        super().setUp()
        self.written = []
        self.errors = collections.deque()
        for name, function in (
                ('nova.objects.Migration.save', self._save_migration),
                ('nova.objects.Instance.save', self._save_instance),
                ('nova_post_copy.notifications.notify', self._notify),
                ('nova.compute.utils.add_instance_fault_from_exc',
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

    def journal(self, status='running', **fields):
        self.migration = objects.Migration(status=status, **fields)
        return journal.Journal(
            self.context, self.instance, self.migration, 'src', 'dest',
            report.Reporter(_at_once))

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
        story = self.journal()
        story.progress(STATISTICS, 75)
        self.assertEqual((400, 300, 100), (
            self.migration.memory_total, self.migration.memory_processed,
            self.migration.memory_remaining))
        self.assertEqual(75, self.instance.progress)
        # It does not fall when the guest writes to what was sent.
        story.progress(STATISTICS._replace(memory_remaining=200), 60)
        self.assertEqual(200, self.migration.memory_remaining)
        self.assertEqual(75, self.instance.progress)
        story.progress(STATISTICS, 80)
        self.assertEqual(80, self.instance.progress)

    def test_progress_after_a_restart(self):
        self.useFixture(scripted.Names())
        self.instance.progress = 60
        story = self.journal(memory_total=400)
        story.progress(STATISTICS, 20)
        self.assertEqual(60, self.instance.progress)

    def test_switched_over(self):
        story = self.journal()
        story.switching()
        story.switched_over()
        self.wrote(('status', 'running (post-copy)'), ('start', DEGRADED))
        story.arrived('it took long')
        self.wrote(('details', DEGRADED, 'it took long'))

    def test_figures_without_a_conductor_that_keeps_them(self):
        for error in (messaging.MessagingTimeout(),
                      messaging.RemoteError(),
                      nova_exception.InstanceActionNotFound(
                          request_id='req', instance_uuid='uuid')):
            story = self.journal('running (post-copy)')
            self.errors.append(error)
            story.arrived('it took long')
            self.wrote(('success', DEGRADED))

    def test_status_is_written_when_it_changes(self):
        story = self.journal()
        story.moving(switched=False)
        self.wrote()
        story.moving(switched=True)
        story.moving(switched=True)
        self.wrote(('status', 'running (post-copy)'))
        story.moving(switched=False)
        self.wrote(('status', 'running'))

    def test_switching(self):
        story = self.journal()
        self.assertTrue(story.switching())
        self.wrote(('status', 'running (post-copy)'))
        story.moving(switched=True)
        self.wrote()

    def test_switching_without_its_status(self):
        story = self.journal()
        for error in (messaging.MessagingTimeout(), db_exception.DBError()):
            self.errors.append(error)
            self.assertFalse(story.switching())
            self.assertEqual('running', self.migration.status)
            self.wrote()
        self.assertTrue(story.switching())

    def test_break_and_recovery(self):
        story = self.journal('running (post-copy)')
        story.interrupted('Broken pipe')
        self.wrote(('status', 'interrupted (post-copy)'),
                   ('start', RECOVERY),
                   ('notification', 'src', 'start'))
        story.resumed()
        self.wrote(('status', 'running (post-copy)'),
                   ('success', RECOVERY),
                   ('notification', 'src', 'end'))
        story.arrived()
        self.wrote(('success', DEGRADED))

    def test_break_was_told_before_a_restart(self):
        story = self.journal('interrupted (post-copy)')
        story.interrupted('nova-compute was restarted')
        self.wrote()
        story.resumed()
        self.wrote(('status', 'running (post-copy)'),
                   ('success', RECOVERY),
                   ('notification', 'src', 'end'))

    def test_each_break_is_told(self):
        story = self.journal('running (post-copy)')
        for _time in range(2):
            story.interrupted('Broken pipe')
            self.assertIn(('start', RECOVERY), self.written)
            story.resumed()
            self.written.clear()

    def test_lost(self):
        fault = exception.PostCopyLost(host='src', dest='dest', reason='why')
        story = self.journal('running (post-copy)')
        story.interrupted('Broken pipe')
        self.written.clear()
        story.lost(fault)
        self.wrote(('failure', RECOVERY), ('failure', DEGRADED),
                   ('notification', 'src', 'error'))

    def test_lost_without_a_break(self):
        story = self.journal('running (post-copy)')
        story.lost(exception.PostCopyLost(
            host='src', dest='dest', reason='why'))
        self.wrote(('failure', DEGRADED), ('notification', 'src', 'error'))

    def test_unreachable_until_it_goes_on(self):
        story = self.journal('interrupted (post-copy)')
        story.unreachable()
        (state, (kind, message), *event) = self.written
        self.assertEqual(('vm_state', 'error'), state)
        self.assertEqual('fault', kind)
        self.assertIn('dest, where the server should run, does not answer',
                      message)
        self.assertEqual([('start', EVENT), ('failure', EVENT)], event)
        self.written.clear()

        story.resumed()
        self.assertIn(('vm_state', 'active'), self.written)
        self.written.clear()
        story.arrived()
        self.wrote(('success', DEGRADED))

    def test_unreachable_and_then_it_has_arrived(self):
        story = self.journal('interrupted (post-copy)')
        story.unreachable()
        self.written.clear()
        story.arrived()
        self.wrote(('vm_state', 'active'), ('success', DEGRADED))

    def test_paused_server_stays_so(self):
        self.instance.vm_state = vm_states.PAUSED
        self.journal().arrived()
        self.assertEqual(vm_states.PAUSED, self.instance.vm_state)

    def test_database_away_while_it_breaks(self):
        story = self.journal('running (post-copy)')
        self.errors.extend([db_exception.DBError()] * 3)
        story.interrupted('Broken pipe')
        self.wrote()
        story.resumed()
        self.wrote(('status', 'running (post-copy)'),
                   ('success', RECOVERY),
                   ('notification', 'src', 'end'))
        story.finish()
