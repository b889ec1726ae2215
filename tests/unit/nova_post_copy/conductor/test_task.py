# SPDX-License-Identifier: Apache-2.0

import re
from unittest import mock

from keystoneauth1 import exceptions as ks_exc
from neutronclient.common import exceptions as neutron_exc
from nova.compute import power_state
from nova.compute import task_states
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception
from nova import objects
from nova import test
from oslo_db import exception as db_exception
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova_post_copy.conductor import endpoint
from nova_post_copy.objects import migration as migration_obj
from nova_post_copy import traits

TASK = 'nova.conductor.tasks.live_migrate.LiveMigrationTask.'


class FakeComputes:
    """What the hosts say about themselves."""

    def __init__(self):
        # Host to sentences.
        self.as_source = {}
        self.as_destination = {}
        self.asked = []

    def source_refusals(self, context, host, instance, post_copy):
        self.asked.append(host if post_copy else 'not ' + host)
        return self.as_source.get(host, [])

    def destination_refusals(self, context, host):
        self.asked.append(host)
        return self.as_destination.get(host, [])


class TestLiveMigration(test.TestCase):
    """From the endpoint to the cast to the source compute."""

    def setUp(self):
        super().setUp()
        self.context = nova_context.RequestContext(
            'user', 'project', is_admin=True)
        self.computes = FakeComputes()
        self.stub_out('nova_post_copy.compute.rpcapi.PostCopyComputeAPI',
                      lambda: self.computes)
        self._create_hosts()
        self.instance = self._create_instance()
        self.request_spec = objects.RequestSpec(
            instance_uuid=self.instance.uuid, project_id='project',
            flavor=self.instance.flavor, num_instances=1,
            requested_resources=[], instance_group=None)

        self._stub_upstream()
        self.sent = []
        self.stub_out('nova.compute.rpcapi.ComputeAPI.live_migration',
                      self._live_migration)
        # Hosts that the scheduler finds, in this order.
        self.found = ['host-b']
        self.required = []
        self.stub_out('nova.scheduler.client.query.SchedulerQueryClient.'
                      'select_destinations', self._select_destinations)
        self.endpoint = endpoint.PostCopyEndpoint()

    def _create_hosts(self):
        for host in ('host-a', 'host-b', 'host-c'):
            objects.Service(
                self.context, host=host, binary='nova-compute',
                topic='compute', report_count=1,
                last_seen_up=timeutils.utcnow()).create()
            objects.HostMapping(
                self.context, host=host,
                cell_mapping=self.cell_mappings['cell1']).create()

    def _create_instance(self):
        flavor = objects.Flavor.get_by_name(self.context, 'm1.tiny')
        instance = objects.Instance(
            self.context, uuid=uuids.instance, host='host-a', node='host-a',
            compute_id=1, vm_state=vm_states.ACTIVE,
            task_state=task_states.MIGRATING,
            power_state=power_state.RUNNING, project_id='project',
            user_id='user', flavor=flavor, memory_mb=flavor.memory_mb,
            system_metadata={}, numa_topology=None, pci_requests=None,
            resources=None)
        instance.create()
        objects.InstanceMapping(
            self.context, instance_uuid=instance.uuid, project_id='project',
            cell_mapping=self.cell_mappings['cell1']).create()
        objects.InstanceAction.action_start(
            self.context, instance.uuid, 'live-migration')
        return instance

    def _stub_upstream(self):
        """Its parts that need placement, neutron or a compute node."""
        for name, result in (
            (TASK + '_check_compatible_with_source_hypervisor',
             (None, mock.Mock(hypervisor_hostname='host-b'))),
            (TASK + '_remove_host_allocations', None),
            (TASK + '_check_destination_has_enough_memory', None),
            ('nova.conductor.tasks.migrate.'
             'replace_allocation_with_migration', (None, None)),
            ('nova.network.neutron.API.get_requested_resource_for_instance',
             ([], objects.RequestLevelParams())),
            ('nova.objects.RequestSpec.ensure_network_information', None),
            ('nova.compute.utils.heal_reqspec_is_bfv', None),
            ('nova.scheduler.utils.fill_provider_mapping', None),
            ('nova.scheduler.utils.claim_resources_on_destination', None),
        ):
            patcher = mock.patch(name, return_value=result)
            patcher.start()
            self.addCleanup(patcher.stop)
        self.upstream_refusal = None
        self.stub_out(TASK + '_call_livem_checks_on_host',
                      self._upstream_checks)

    def _upstream_checks(self, task, destination, provider_mapping):
        if self.upstream_refusal is not None:
            raise exception.MigrationPreCheckError(
                reason=self.upstream_refusal)

    def _select_destinations(self, client, context, spec, *args, **kwargs):
        self.required.append(set(spec.root_required))
        for host in self.found:
            if host not in spec.ignore_hosts:
                return [[mock.Mock(service_host=host, nodename=host,
                                   compute_node_uuid=host, limits=None,
                                   allocation_request='{}')]]
        raise exception.NoValidHost(
            reason='There are not enough hosts available.')

    def _live_migration(self, api, context, host, instance, dest, **kwargs):
        stored = objects.Migration.get_by_id(
            self.context, kwargs['migration'].id)
        self.sent.append((host, dest, migration_obj.requested(stored)))

    def _migrate(self, post_copy, host=None):
        self.endpoint.live_migrate_instance(
            self.context, self.instance, {'host': host}, False, None,
            self.request_spec, post_copy)

    def _name(self, host):
        """As the API does from microversion 2.30 on."""
        self.request_spec.requested_destination = objects.Destination(
            host=host)
        self.found = [host]

    def _assert_refused(self, *texts, post_copy=True, host=None):
        """The server is where it was, and whoever asks is told why."""
        self.assertRaises(exception.MigrationPreCheckError,
                          self._migrate, post_copy, host)
        self.assertEqual([], self.sent)
        instance = objects.Instance.get_by_uuid(
            self.context, self.instance.uuid)
        self.assertEqual(
            ('host-a', vm_states.ACTIVE, None),
            (instance.host, instance.vm_state, instance.task_state))
        migration, = objects.MigrationList.get_by_filters(
            self.context, {'instance_uuid': instance.uuid})
        self.assertEqual('error', migration.status)
        self.assertIs(post_copy, migration.post_copy)

        fault = objects.InstanceFault.get_latest_for_instance(
            self.context, instance.uuid)
        action, = objects.InstanceActionList.get_by_instance_uuid(
            self.context, instance.uuid)
        event, = objects.InstanceActionEventList.get_by_action(
            self.context, action.id)
        self.assertEqual('conductor_live_migrate_instance', event.event)
        self.assertEqual('Error', event.result)
        for text in texts:
            self.assertIn(text, event.details)
            # For administrators, too.
            self.assertIn(text, fault.details)
            self.assertIn(re.sub(r'\bhost-[bc]\b', 'a host', re.sub(
                r'\bhost-a\b', 'its host', text)), fault.message)
        for host in ('host-a', 'host-b', 'host-c'):
            self.assertNotIn(host, fault.message)
        self._assert_words(event.details)

    def _assert_words(self, text):
        """No class, no dict, no address: a person has to read it."""
        for foreign in ('{', 'Error', 'Exception', 'Failure', '://'):
            self.assertNotIn(foreign, text)

    def test_true(self):
        self._migrate(True)
        self.assertEqual([('host-a', 'host-b', True)], self.sent)
        self.assertEqual([{traits.POST_COPY}], self.required)

    def test_on_record_before_anything_else(self):
        recorded = []

        def is_up(*args):
            recorded.extend(objects.MigrationList.get_by_filters(
                self.context, {'instance_uuid': self.instance.uuid}))
            raise exception.ComputeServiceUnavailable(host='host-a')

        self.stub_out('nova.conductor.tasks.live_migrate.LiveMigrationTask.'
                      '_check_host_is_up', is_up)
        for post_copy in (True, False):
            self.instance.task_state = task_states.MIGRATING
            self.instance.save()
            self.assertRaises(exception.MigrationPreCheckError,
                              self._migrate, post_copy)
            self.assertIs(post_copy, recorded[0].post_copy)
            recorded.clear()

    def test_false_needs_no_capability(self):
        self._migrate(False)
        self.assertEqual([('host-a', 'host-b', False)], self.sent)
        self.assertEqual([set()], self.required)
        self.assertEqual(['not host-a'], self.computes.asked)

    def test_false_needs_a_source_that_understands(self):
        self.computes.as_source['host-a'] = ['not loaded']
        self._assert_refused(
            'host-a cannot send the server with post-copy ruled out: not '
            'loaded',
            post_copy=False)

    def test_paused_needs_no_capability(self):
        self.instance.vm_state = vm_states.PAUSED
        self.instance.power_state = power_state.PAUSED
        self.instance.save()
        self._migrate(True)
        self.assertEqual([('host-a', 'host-b', True)], self.sent)
        self.assertEqual([set()], self.required)
        self.assertEqual([], self.computes.asked)

    def test_named_destination(self):
        self._name('host-c')
        self._migrate(True)
        self.assertEqual([('host-a', 'host-c', True)], self.sent)
        self.assertEqual([{traits.POST_COPY}], self.required)

    def test_forced_destination(self):
        self._migrate(True, host='host-c')
        self.assertEqual([('host-a', 'host-c', True)], self.sent)
        self.assertEqual(['host-a', 'host-c', 'host-c'], self.computes.asked)

    def test_another_is_not_over(self):
        # The request has waited for this conductor, or the API is another.
        other = objects.Migration(
            self.context, instance_uuid=self.instance.uuid,
            migration_type='live-migration', status='running',
            source_compute='host-a', dest_compute='host-b')
        other.create()
        for post_copy in (True, False):
            self.instance.task_state = task_states.MIGRATING
            self.instance.save()
            error = self.assertRaises(exception.MigrationPreCheckError,
                                      self._migrate, post_copy)
            self.assertIn('Live migration %d of the server has not finished '
                          '(status "running")' % other.id,
                          error.format_message())
            self._assert_words(error.format_message())
        self.assertEqual([], self.sent)
        self.assertEqual([], self.computes.asked)
        # Of a host that the server is not on any more.
        other.source_compute = 'host-c'
        other.save()
        self.instance.task_state = task_states.MIGRATING
        self.instance.save()
        self._migrate(True)
        self.assertEqual(1, len(self.sent))

    def test_source_cannot(self):
        self.computes.as_source['host-a'] = ['its disk is odd', 'so is QEMU']
        self._assert_refused(
            'cannot send the server by post-copy',
            'its disk is odd; so is QEMU')

    def test_source_is_down(self):
        service = objects.Service.get_by_compute_host(self.context, 'host-a')
        service.forced_down = True
        service.save()
        self._assert_refused('Compute service of host-a')
        self.assertEqual([], self.computes.asked)

    def test_named_destination_cannot(self):
        self._name('host-c')
        self.computes.as_destination['host-c'] = ['no userfaultfd']
        self._assert_refused(
            'host-c cannot receive the server by post-copy: no userfaultfd')
        self.assertEqual([], self.required)

    def test_forced_destination_cannot(self):
        self.computes.as_destination['host-c'] = ['no userfaultfd']
        self._assert_refused(
            'host-c cannot receive the server by post-copy: no userfaultfd',
            host='host-c')

    def test_next_host_when_the_trait_was_stale(self):
        self.found = ['host-b', 'host-c']
        self.computes.as_destination['host-b'] = ['not loaded']
        self._migrate(True)
        self.assertEqual([('host-a', 'host-c', True)], self.sent)

    def test_no_capable_host(self):
        self.found = []
        self._assert_refused(
            'No other host reports %s' % traits.POST_COPY,
            'stays on host-a')

    def test_each_host_turned_down(self):
        self.found = ['host-b', 'host-c']
        self.computes.as_destination['host-b'] = ['not loaded']
        self.computes.as_destination['host-c'] = ['no userfaultfd']
        self._assert_refused(
            'host-b: not loaded. host-c: no userfaultfd.', 'stays on host-a')

    def _fails(self, name, error):
        def fail(*args, **kwargs):
            raise error
        self.stub_out(name, fail)

    def _neutron_fails(self, error):
        self._fails('nova.network.neutron.get_client', error)
        self.stub_out(
            TASK + '_call_livem_checks_on_host',
            lambda task, destination, provider_mapping:
            task.network_api.has_port_binding_extension(task.context))
        self._assert_refused('host-b: neutron (or keystone')

    def test_keystone_does_not_answer(self):
        self._neutron_fails(ks_exc.ConnectFailure('http://keystone'))

    def test_neutron_does_not_answer(self):
        self._neutron_fails(
            neutron_exc.ConnectionFailed(reason='http://neutron'))

    def test_placement_does_not_answer(self):
        self._fails('nova.conductor.tasks.migrate.'
                    'replace_allocation_with_migration',
                    ks_exc.ConnectFailure('http://placement'))
        self._assert_refused('keystone, or a service that Nova asks, did not '
                             'answer')

    def test_unexpected(self):
        self._fails('nova.conductor.tasks.migrate.'
                    'replace_allocation_with_migration', KeyError('x'))
        self._assert_refused('an unexpected error')

    def test_allocations_cannot_be_given_back(self):
        self.found = []
        self._fails(TASK + 'rollback', ks_exc.ConnectFailure())
        self._assert_refused('stays on host-a')

    def _destination_fails(self, error):
        self._fails(TASK + '_call_livem_checks_on_host', error)
        self._assert_refused(
            'host-b: a check on another host failed: Read-only file system.')

    def test_destination_fails_to_check(self):
        # Its instances path is read-only, for example.
        self._destination_fails(
            OSError(30, 'Read-only file system', '/instances'))

    def test_destination_fails_with_an_error_that_is_not_known_here(self):
        self._destination_fails(messaging.RemoteError(
            'OSError', 'Read-only file system\nTraceback', 'trace'))

    def test_scheduler_does_not_answer(self):
        self._fails('nova.scheduler.client.query.SchedulerQueryClient.'
                    'select_destinations', messaging.MessagingTimeout())
        self._assert_refused('did not answer in time')

    def test_same_without_post_copy(self):
        self._fails(TASK + '_call_livem_checks_on_host',
                    OSError(30, 'Read-only file system'))
        self._assert_refused('Read-only file system', post_copy=False)

    def test_reason_that_was_an_exception(self):
        # Once it has passed through RPC it is the text of a dict.
        error = exception.MigrationPreCheckError(
            'Migration pre-check error: Unacceptable CPU info: no SSE',
            reason="{'kwargs': {'reason': 'no SSE'}}")
        self._fails(TASK + '_call_livem_checks_on_host', error)
        self._assert_refused('host-b: Unacceptable CPU info: no SSE.')

    def test_source_may_have_received_it(self):
        self._fails('nova.compute.rpcapi.ComputeAPI.live_migration',
                    messaging.MessageDeliveryFailure())
        self._migrate(True)
        # It is not known: the source finds out.
        migration, = objects.MigrationList.get_by_filters(
            self.context, {'instance_uuid': self.instance.uuid})
        instance = objects.Instance.get_by_uuid(
            self.context, self.instance.uuid)
        self.assertEqual(
            ('accepted', task_states.MIGRATING),
            (migration.status, instance.task_state))

    def test_bindings_of_a_failure_after_the_checks(self):
        removed = []
        self.stub_out(
            'nova.network.neutron.API.setup_networks_on_host',
            lambda api, context, instance, host, teardown: removed.append(
                (host, teardown)))
        self._fails('nova.availability_zones.get_host_availability_zone',
                    db_exception.DBConnectionError())
        self._assert_refused('the database did not answer')
        self.assertEqual([('host-b', True)], removed)

    def test_turned_down_by_upstream(self):
        self.upstream_refusal = 'no memory'
        self._assert_refused(
            'host-b: no memory.')

    def test_no_host_without_post_copy_is_upstreams(self):
        self.found = []
        exc = self.assertRaises(
            exception.MigrationPreCheckError, self._migrate, False)
        self.assertEqual('No valid host was found. There are not enough '
                         'hosts available.', exc.format_message())
