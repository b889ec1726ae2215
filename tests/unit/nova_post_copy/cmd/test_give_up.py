# SPDX-License-Identifier: Apache-2.0

import io
import threading

from cinderclient import exceptions as cinder_exception
import fixtures
from keystoneauth1 import exceptions as ks_exc
from nova.compute import task_states
from nova.compute import vm_states
from nova import context as nova_context
from nova import objects
from nova import test
from nova.tests import fixtures as nova_fixtures
from nova.tests.unit import fake_flavor
from oslo_db import exception as db_exc
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova_post_copy.cmd import give_up
from nova_post_copy.decisions.condition import Condition
from tests.unit.nova_post_copy import cinder
from tests.unit.nova_post_copy.cmd import base


class Peers(fixtures.Fixture):
    """Placement and neutron: what they were asked, and what they say."""

    def __init__(self):
        self.asked = []
        self.error = None

    def _setUp(self):
        client = 'nova.scheduler.client.report.SchedulerReportClient.'
        api = 'nova.network.neutron.API.'
        for name in (client + 'move_allocations',
                     client + 'delete_allocation_for_instance',
                     api + 'migrate_instance_start',
                     api + 'setup_networks_on_host'):
            self.useFixture(fixtures.MonkeyPatch(name, self._answer(name)))

    def _answer(self, name):
        def ask(_self, _context, *args, **kwargs):
            if self.error is not None:
                raise self.error
            self.asked.append(
                (name.rpartition('.')[2], args[0], kwargs.get('host')))

        return ask


class TestGiveUp(test.TestCase):

    def setUp(self):
        super().setUp()
        self.output = io.StringIO()
        self.useFixture(fixtures.MonkeyPatch('sys.stdout', self.output))
        self.peers = self.useFixture(Peers())
        self.flags(notification_format='both', group='notifications')
        self.notifier = self.useFixture(
            nova_fixtures.NotificationFixture(self))
        self.answer = None
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.rpcapi.PostCopyComputeAPI.'
            'guest_condition', lambda *args: self.answer))
        self.context = nova_context.get_admin_context().elevated()
        nova_context.set_target_cell(
            self.context, self.cell_mappings['cell1'])
        for host in ('src', 'dest'):
            self._create_host(host)
        self.instance = objects.Instance(
            self.context, uuid=uuids.server, project_id='project',
            user_id='user', display_name='busy server', host='src',
            node='src', compute_id=1, vm_state=vm_states.ACTIVE,
            task_state=task_states.MIGRATING, progress=50,
            flavor=fake_flavor.fake_flavor_obj(self.context),
            system_metadata={}, image_ref='')
        self.instance.create()
        objects.InstanceAction.action_start(
            self.context, uuids.server, 'live-migration')
        self.migration = self._migrate('interrupted (post-copy)')

    def _create_host(self, host):
        objects.Service(
            self.context, host=host, binary='nova-compute', topic='compute',
            forced_down=False, report_count=1,
            last_seen_up=timeutils.utcnow()).create()
        objects.ComputeNode(
            self.context, host=host, hypervisor_hostname=host, vcpus=1,
            memory_mb=1, local_gb=1, vcpus_used=0, memory_mb_used=0,
            local_gb_used=0, hypervisor_type='QEMU', hypervisor_version=1,
            cpu_info='', uuid=getattr(uuids, host),
            service_id=None).create()

    def _migrate(self, status, post_copy=True):
        migration = objects.Migration(
            self.context, instance_uuid=uuids.server, source_compute='src',
            source_node='src', dest_compute='dest', dest_node='dest',
            dest_compute_id=2,
            status=status, migration_type='live-migration')
        if post_copy is not None:
            migration.post_copy = post_copy
        migration.create()
        return migration

    def status_is(self, status):
        self.migration.status = status
        self.migration.save()

    def down(self, *hosts):
        for host in hosts:
            service = objects.Service.get_by_compute_host(self.context, host)
            service.forced_down = True
            service.save()

    def give_up(self, *hosts, migration=None, server='busy server'):
        """Return the exit status and what was printed."""
        status = getattr(give_up.MigrationCommands(), 'give-up')(
            str(migration or self.migration.id), server, list(hosts))
        text = self.output.getvalue()
        self.output.seek(0)
        self.output.truncate()
        return status, text

    def assert_refused(self, reason, *hosts, **kwargs):
        status, text = self.give_up(*hosts, **kwargs)
        self.assertEqual(1, status, text)
        self.assertIn(reason, text)
        self.assertIn('Nothing was changed', text)
        self.assertEqual([], self.peers.asked)
        self.instance.refresh()
        self.assertEqual(
            ('src', 'src', vm_states.ACTIVE, task_states.MIGRATING, 50),
            (self.instance.host, self.instance.node, self.instance.vm_state,
             self.instance.task_state, self.instance.progress))
        self.assertEqual(
            self.migration.status, objects.Migration.get_by_id(
                self.context, self.migration.id).status)

    def assert_recorded(self, host, vm_state, status):
        self.instance.refresh()
        node = objects.ComputeNode.get_by_host_and_nodename(
            self.context, host, host)
        self.assertEqual(
            (host, host, vm_state, None, 0),
            (self.instance.host, self.instance.node, self.instance.vm_state,
             self.instance.task_state, self.instance.progress))
        if host == 'dest':
            self.assertEqual(node.id, self.instance.compute_id)
        self.assertEqual(status, objects.Migration.get_by_id(
            self.context, self.migration.id).status)

    def faults(self):
        return objects.InstanceFaultList.get_by_instance_uuids(
            self.context, [uuids.server])

    def test_dead_source(self):
        for status in ('interrupted (post-copy)', 'running (post-copy)'):
            self.status_is(status)
            self.down('src')
            self.answer = Condition.BROKEN
            exit_status, text = self.give_up('src')

            self.assertEqual(0, exit_status, text)
            self.assert_recorded('dest', vm_states.ERROR, 'error')
            self.assertIn('reboot --hard %s' % uuids.server, text)
            fault = self.faults()[0]
            self.assertNotIn('src', fault.message)
            self.assertIn('given up the source', fault.details)
            self.assertEqual(
                'instance.live_migration_post_copy_recovery.error',
                self.notifier.versioned_notifications.pop()['event_type'])
            # Nobody else does it.
            self.assertEqual(
                [('delete_allocation_for_instance', self.migration.uuid,
                  None),
                 ('migrate_instance_start', self.peers.asked[1][1], None),
                 ('setup_networks_on_host', self.peers.asked[1][1], 'src')],
                self.peers.asked)
            self.peers.asked.clear()

    def test_dead_destination(self):
        self.down('dest')
        exit_status, text = self.give_up('dest')

        self.assertEqual(0, exit_status, text)
        self.assert_recorded('dest', vm_states.ERROR, 'error')
        self.assertIn('make sure that dest is off', text)
        self.assertIn('evacuate %s' % uuids.server, text)
        self.assertIn('then evacuate', self.faults()[0].details)
        self.assertIn('nova-compute on src ends the migration', text)
        self.assertEqual([], self.peers.asked)

    def test_after_reset_state(self):
        self.instance.task_state = None
        self.instance.vm_state = vm_states.ERROR
        self.instance.save()
        self.down('src')
        self.assertEqual(0, self.give_up('src')[0])
        self.assert_recorded('dest', vm_states.ERROR, 'error')

    def test_dead_source_before_the_switch(self):
        self.status_is('running')
        self.down('src')
        self.answer = Condition.ABSENT
        exit_status, text = self.give_up('src')

        self.assertEqual(0, exit_status, text)
        self.assert_recorded('src', vm_states.ACTIVE, 'error')
        self.assertIn('evacuate %s' % uuids.server, text)
        self.assertEqual([], list(self.faults()))
        self.assertEqual(
            ['move_allocations', 'setup_networks_on_host'],
            [name for name, _first, _host in self.peers.asked])
        self.assertEqual('dest', self.peers.asked[1][2])

    def test_it_may_start_at_any_moment(self):
        # Recorded on the source it could be evacuated, and start twice.
        self.down('src')
        self.answer = Condition.MIGRATING
        for status in ('running', 'running (post-copy)'):
            self.status_is(status)
            self.assert_refused('within a minute', 'src')

    def test_it_had_arrived(self):
        for status, answer, vm_state in (
                ('running', Condition.RUNNING, vm_states.ACTIVE),
                ('running (post-copy)', Condition.RUNNING, vm_states.ACTIVE),
                ('running (post-copy)', Condition.POWERED_OFF,
                 vm_states.STOPPED),
                ('running', Condition.IO_ERROR, vm_states.ACTIVE),
                ('running', Condition.PAUSED, vm_states.PAUSED)):
            self.status_is(status)
            self.down('src')
            self.answer = answer
            exit_status, text = self.give_up('src')
            self.assertEqual(0, exit_status, text)
            self.assert_recorded('dest', vm_state, 'completed')
            self.assertIn('Server %s is on dest, %s' % (
                uuids.server, vm_state), text)

    def test_only_the_destination_knows(self):
        self.status_is('running')
        self.down('src', 'dest')
        self.assert_refused('add "--host dest"', 'src')
        self.assertEqual(0, self.give_up('src', 'dest')[0])
        self.assert_recorded('src', vm_states.ACTIVE, 'error')

    def test_both_are_alive(self):
        self.status_is('running')
        self.assert_refused('nova-compute on src is up', 'src')
        self.status_is('running (post-copy)')
        self.assert_refused('is being copied', 'src')

    def test_wrong_words(self):
        self.down('src')
        self.assert_refused('but of "busy server"', 'src', server='other')
        self.assert_refused('third takes no part', 'third')
        self.assert_refused('without nova-compute is src', 'dest')
        self.assert_refused('There is no live migration 77', 'src',
                            migration=77)
        self.assert_refused('There is no live migration x', 'src',
                            migration='x')

    def test_by_uuid(self):
        self.down('src')
        self.assertEqual(
            0, self.give_up('src', migration=self.migration.uuid)[0])

    def test_migrations_that_have_nothing_to_give_up(self):
        self.down('src')
        for status in ('accepted', 'queued', 'preparing'):
            self.status_is(status)
            self.assert_refused('has not begun', 'src')
        for status in ('completed', 'cancelled', 'error', 'failed'):
            self.status_is(status)
            self.assert_refused('is over: its status is "%s"' % status, 'src')
        for post_copy in (None, False):
            self.migration = self._migrate('running', post_copy)
            self.assert_refused('without "post_copy": true', 'src')

    def test_whole_or_not_at_all(self):
        self.down('src')

        def save(_migration):
            raise db_exc.DBConnectionError('gone')

        with fixtures.MonkeyPatch('nova.objects.Migration.save', save):
            self.assert_refused('The database does not answer', 'src')

    def test_it_changes_meanwhile(self):
        self.down('src')

        def answer(*args):
            self.status_is('completed')

        with fixtures.MonkeyPatch(
                'nova_post_copy.compute.rpcapi.PostCopyComputeAPI.'
                'guest_condition', answer):
            self.assert_refused('has just changed', 'src')

    def test_rabbitmq_is_gone(self):
        # The destination's nova-compute may be up all the same.
        self.status_is('running')
        self.down('src')
        over = threading.Event()
        self.addCleanup(over.set)
        with (fixtures.MonkeyPatch(
                'nova_post_copy.compute.rpcapi.PostCopyComputeAPI.'
                'guest_condition', lambda *args: over.wait()),
              fixtures.MonkeyPatch(
                'nova_post_copy.cmd.limit.WITHIN_S', 0.1)):
            self.assert_refused('add "--host dest"', 'src')
            self.assertEqual(0, self.give_up('src', 'dest')[0])

    def test_placement_and_neutron_are_gone(self):
        self.down('src', 'dest')
        self.peers.error = ks_exc.ConnectFailure('no route')
        exit_status, text = self.give_up('src')

        self.assertEqual(2, exit_status)
        self.assert_recorded('dest', vm_states.ERROR, 'error')
        self.assertIn('allocation delete %s' % self.migration.uuid, text)
        self.assertIn('bindings/src', text)
        self.assertIn('Next:', text)

    def attach(self):
        objects.BlockDeviceMapping(
            self.context, instance_uuid=uuids.server, volume_id=uuids.volume,
            source_type='volume', destination_type='volume',
            attachment_id=uuids.dest_attachment,
            connection_info='{}').create()
        volumes = self.useFixture(cinder.Cinder(uuids.server))
        volumes.volumes[uuids.volume] = {
            uuids.src_attachment: 'src', uuids.dest_attachment: 'dest'}
        return volumes

    def test_volumes(self):
        volumes = self.attach()
        self.down('src')
        exit_status, text = self.give_up('src')
        self.assertEqual(0, exit_status, text)
        self.assertIn('The volume attachments of the other host', text)
        self.assertEqual({uuids.dest_attachment}, volumes.of(uuids.volume))

    def test_cinder_is_gone(self):
        volumes = self.attach()
        volumes.errors['delete'] = cinder_exception.ClientException(503)
        self.down('src')
        exit_status, text = self.give_up('src')

        self.assertEqual(2, exit_status, text)
        self.assert_recorded('dest', vm_states.ERROR, 'error')
        self.assertIn('WARNING: the volume attachments', text)
        self.assertIn('volume attachment delete ' + uuids.src_attachment,
                      text)
        # The others are not in its way.
        self.assertEqual(3, len(self.peers.asked))
        self.assertIn('Next:', text)


class TestCommand(base.CommandTestCase):
    MODULE = 'manage'

    def test_help(self):
        result = self._run('migration', 'give-up', '--help')
        self.assertEqual(0, result.returncode, result.stderr)
        text = ' '.join(result.stdout.split())
        for words in ('THIS CANNOT BE UNDONE', '--server <name>',
                      '--host <host>', 'Exit status: 0'):
            self.assertIn(words, text)

    def test_what_has_to_be_repeated(self):
        result = self._run('migration', 'give-up', '7')
        self.assertEqual(2, result.returncode)
        self.assertIn('--server, --host', result.stderr)

    def test_nova_post_copy_is_not_loaded(self):
        result = self._run('migration', 'give-up', '7', '--server', 'busy',
                           '--host', 'src')
        self.assertEqual(1, result.returncode, result.stderr)
        self.assertIn('does not load nova-post-copy', result.stdout)
