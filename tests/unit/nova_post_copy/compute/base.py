# SPDX-License-Identifier: Apache-2.0

"""What the actors of nova-compute act upon: hosts, Nova, records."""

import fixtures
from keystoneauth1 import exceptions as ks_exc
from neutronclient.common import exceptions as neutron_exception
from nova.compute import task_states
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova.network import model
from nova import objects
from nova import test

from nova_post_copy.compute import reconcile
from nova_post_copy.compute import record
from nova_post_copy.compute import states
from nova_post_copy.decisions.condition import Condition
from tests.unit.nova_post_copy.compute import records


class Driver:
    """libvirt of this host."""

    def __init__(self, outside):
        self._outside = outside
        self.condition = Condition.RUNNING
        self.broken = []
        self.watched = None

    def post_copy_condition(self, instance):
        return self.condition

    def post_copy_broken_guests(self):
        return self.broken

    def watch_live_migration(self, context, instance, dest, post_method,
                             recover_method, block_migration, migrate_data):
        self.watched = {
            'request_id': context.request_id, 'dest': dest,
            'task_state': instance.task_state, 'post': post_method.keywords,
            'recover': recover_method.keywords,
            'block_migration': block_migration, 'data': migrate_data}

    def remove_leftover(self, context, instance, network_info,
                        block_device_info, destroy_disks, migrate_data):
        self._outside.do('remove', instance.uuid, destroy_disks)

    def live_migration_abort(self, instance):
        self._outside.do('abort', instance.uuid)


class Outside:
    """Whatever nova-compute reaches, and whether that works."""

    def __init__(self):
        self.done = []
        self.error = None

    def do(self, *what):
        if self.error == what[0]:
            raise test.TestingException(what[0])
        if what[0].partition(' ')[0] not in ('get', 'list', 'refresh'):
            self.done.append(what)


class Network:
    """neutron: the bindings of the only port, by host."""

    def __init__(self, outside):
        self._outside = outside
        self.bindings = {}

    def has_port_binding_extension(self, context):
        return True

    def list_ports(self, context, **params):
        self._outside.do('list ports')
        return {'ports': [{'id': 'port'}]}

    def get_instance_nw_info(self, context, instance):
        self._outside.do('refresh ports')

    def show_port_binding(self, port, host):
        if host not in self.bindings:
            raise neutron_exception.PortNotFoundClient()
        return {'binding': {'status': self.bindings[host]}}

    def activate_port_binding(self, port, host):
        self._outside.do('activate', host)
        for other in self.bindings:
            self.bindings[other] = (
                'ACTIVE' if other == host else 'INACTIVE')

    def migrate_instance_start(self, context, instance, migration):
        self._outside.do('activate ports', migration.dest_compute)

    def setup_networks_on_host(self, context, instance, host, teardown):
        self._outside.do('remove ports', host, teardown)
        self.bindings.pop(host, None)


class Volumes:
    """Cinder: which attachments there are, of volumes of 1 GiB."""

    def __init__(self, outside):
        self._outside = outside
        self.attachments = set()
        #: of all attachments; None: each has one of its own
        self.connection = None
        self.size = 1

    def get(self, context, volume_id):
        self._outside.do('get volume')
        return {'size': self.size}

    def attachment_get(self, context, attachment_id):
        self._outside.do('get attachment')
        if attachment_id not in self.attachments:
            raise nova_exception.VolumeAttachmentNotFound(
                attachment_id=attachment_id)
        return {'connection_info': {'data': {'of': attachment_id}}
                if self.connection is None else self.connection}

    def attachment_delete(self, context, attachment_id):
        self._outside.do('delete attachment', attachment_id)
        self.attachments.discard(attachment_id)


class Compute:
    def __init__(self, outside):
        self._outside = outside

    def terminate_instance(self, context, instance, bdms):
        self._outside.do('terminate', instance.host, instance.task_state)

    def soft_delete_instance(self, context, instance):
        self._outside.do('soft delete', instance.host, instance.task_state)

    def external_instance_event(self, context, instances, events, host):
        self._outside.do('tell', host, [
            (event.name, event.tag) for event in events])


class Placement:
    """What each migration holds there, besides its instance."""

    def __init__(self, outside):
        self._outside = outside
        self._held = set()

    def get_allocs_for_consumer(self, context, consumer):
        if self._outside.error == 'placement':
            raise ks_exc.ConnectFailure()
        return {'allocations': {'provider': {}} if consumer in self._held
                else {}}

    def delete_allocation_for_instance(
            self, context, consumer, consumer_type, force):
        self._outside.do('release', consumer_type)
        self._held.discard(consumer)

    def remove_provider_tree_from_instance_allocation(
            self, context, consumer, provider):
        self._outside.do('release of', consumer, provider)


class Manager:
    """nova-compute, as far as it reaches out of the database."""

    host = 'src'

    def __init__(self, outside):
        self._outside = outside
        self.driver = Driver(outside)
        self.network_api = Network(outside)
        self.compute_rpcapi = Compute(outside)
        self.reportclient = Placement(outside)
        self.volume_api = Volumes(outside)
        self.ending = states.Ending()

    def _post_live_migration_update_host(self):
        pass

    def _rollback_live_migration(self):
        pass

    def _delete_allocation_after_move(self, context, instance, migration):
        self._outside.do('give back source', migration.id)
        self._release(migration)

    def _revert_allocation(self, context, instance, migration):
        held = migration.uuid in self.reportclient._held
        self._outside.do('give back destination', migration.id)
        self._release(migration)
        return held

    def _release(self, migration):
        # As upstream: who does not answer is taken for one who did.
        if self._outside.error != 'placement':
            self.reportclient._held.discard(migration.uuid)

    def _live_migration_cleanup_flags(self, migrate_data, migr_ctxt):
        return True, not (migrate_data.is_shared_instance_path or
                          migrate_data.is_shared_block_storage)

    def _get_instance_block_device_info(self, context, instance, bdms):
        return {}

    def terminate_now(self, context, instance, bdms):
        self._outside.do('terminate here', instance.task_state)

    def soft_delete_now(self, context, instance):
        self._outside.do('soft delete here', instance.task_state)

    def external_instance_event(self, context, instances, events):
        self._outside.do('happened', [
            (event.name, event.tag) for event in events])

    def _get_compute_info(self, context, host):
        return objects.ComputeNode(id=42, hypervisor_hostname='node-' + host)


class ReconcileTestCase(test.TestCase):
    """A server whose live migration from ``src`` to ``dest`` is not over."""

    def setUp(self):
        super().setUp()
        self.flags(state_path=self.useFixture(fixtures.TempDir()).path)
        self.flags(host='src')
        self.context = nova_context.get_admin_context()
        self.outside = Outside()
        self.manager = Manager(self.outside)
        self.network = self.manager.network_api
        self.volumes = self.manager.volume_api
        self.useFixture(fixtures.MonkeyPatch(
            'nova.network.neutron.get_client',
            lambda context, admin: self.network))
        self.driver = self.manager.driver
        self.instance = objects.Instance(
            self.context, host='src', node='node-src', compute_id=1,
            project_id='project', user_id='user', vm_state=vm_states.ACTIVE,
            task_state=task_states.MIGRATING, flavor=objects.Flavor(
                id=1, name='small', memory_mb=512, vcpus=1, root_gb=1,
                ephemeral_gb=0, flavorid='1', swap=0, rxtx_factor=1.0,
                vcpu_weight=0, disabled=False, is_public=True,
                extra_specs={}))
        self.instance.create()
        self.instance.info_cache = objects.InstanceInfoCache(
            self.context, instance_uuid=self.instance.uuid,
            network_info=model.NetworkInfo())
        self.instance.info_cache.save()
        self.action = objects.InstanceAction.action_start(
            self.context, self.instance.uuid, 'live-migration')
        self.migration = self.migrates()

    def migrates(self, status='running', post_copy=True, **fields):
        migration = objects.Migration(self.context, **{
            'instance_uuid': self.instance.uuid, 'status': status,
            'migration_type': 'live-migration', 'source_compute': 'src',
            'dest_compute': 'dest'} | fields)
        if post_copy is not None:
            migration.post_copy = post_copy
        migration.create()
        return migration

    def keep(self, **changes):
        record.write(records.make(self.instance.uuid, **{
            'migration_id': self.migration.id, 'started': True} | changes))

    def damage(self):
        self.keep()
        path = '%s/post_copy/%s.json' % (
            record.CONF.state_path, self.instance.uuid)
        with open(path, 'w') as stream:
            stream.write('{')

    def change(self, **fields):
        for name, value in fields.items():
            setattr(self.instance, name, value)
        self.instance.save()

    def status(self, status):
        self.migration.status = status
        self.migration.save()

    def now(self):
        """Return status of the migration and task state of the instance."""
        self.migration = objects.Migration.get_by_id(
            self.context, self.migration.id)
        self.instance.refresh()
        return self.migration.status, self.instance.task_state

    def fault(self):
        faults = objects.InstanceFaultList.get_by_instance_uuids(
            self.context, [self.instance.uuid])
        return faults[0].details if faults else None

    def bring_to_end(self):
        return reconcile.bring_to_end(self.manager, self.instance.uuid)

    def assert_closed(self):
        self.assertFalse(record.exists(self.instance.uuid))

    def assert_untouched(self):
        """Check that nothing was done outside of the records."""
        self.assertEqual([], self.outside.done)
        self.assertIsNone(self.driver.watched)
