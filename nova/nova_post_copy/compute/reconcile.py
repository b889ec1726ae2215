# SPDX-License-Identifier: Apache-2.0

"""Reconcile Nova's database with where the guest is.

After the thread of a migration has died, or one of its last steps has failed,
three things are left: the durable record on the source, the migration and the
instance in the database, and the guest, which alone is always right. Each
function may be called again until it succeeds.
"""

import functools

from oslo_log import log as logging

from nova.compute import manager as upstream
from nova.compute import task_states
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import leftovers
from nova_post_copy.compute import record
from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import Status
from nova_post_copy.objects.migration import unfinished

LOG = logging.getLogger(__name__)

ATTRIBUTES = ('info_cache', 'metadata', 'system_metadata', 'numa_topology',
              'flavor', 'migration_context')


# When the service starts

def is_ours(context: nova_context.RequestContext, host: str,
            instance: objects.Instance) -> bool:
    """Tell whether an instance on this host has a migration to reconcile.

    A durable record that cannot be read is written anew.
    """
    if record.load(instance.uuid) is not None:
        return True
    migration = _in_progress(context, host, instance)
    if migration is None or migration.status == Status.ACCEPTED:
        record.remove(instance.uuid)
    else:
        try:
            record.write(_rebuilt(context, instance, migration))
        except OSError as exc:
            # Upstream would reset the instance, whose guest may be gone.
            LOG.error('The live migration is not reconciled until its record '
                      'can be written: %s', exc, instance=instance)
    return migration is not None


def _in_progress(context: nova_context.RequestContext, host: str,
                 instance: objects.Instance) -> objects.Migration | None:
    if instance.task_state != task_states.MIGRATING:
        return None
    return unfinished(context, instance.uuid, source=host)


def _rebuilt(context: nova_context.RequestContext,
             instance: objects.Instance,
             migration: objects.Migration) -> record.Record:
    """Rebuild the durable record from the database.

    The database does not say whether the hosts share storage, so nothing is
    deleted on either host, as if they did.
    """
    request = next(
        (action for action in objects.InstanceActionList.get_by_instance_uuid(
            context, instance.uuid) if action.action == 'live-migration'),
        None)
    LOG.warning('There is no readable record of the live migration: remove '
                'disks that the migration leaves on either host manually',
                instance=instance)
    return record.Record(
        instance_uuid=instance.uuid, migration_id=migration.id,
        dest=migration.dest_compute, block_migration=False,
        request_id=request.request_id if request else context.request_id,
        user_id=instance.user_id, project_id=instance.project_id,
        migrate_data=objects.LibvirtLiveMigrateData(
            is_shared_instance_path=True, is_shared_block_storage=True,
            block_migration=False),
        source_bdms=objects.BlockDeviceMappingList.get_by_instance_uuid(
            context, instance.uuid),
        started=True)


# Migrations that no thread handles

def bring_to_end(manager: upstream.ComputeManager,
                 uuid: str) -> objects.Instance | None:
    """Finish one migration.

    :returns: the instance, if it is on this host afterwards
    :raises Exception: a service that is needed is unavailable; call again
        later
    """
    context = nova_context.get_admin_context()
    try:
        instance = objects.Instance.get_by_uuid(
            context, uuid, expected_attrs=ATTRIBUTES)
    except nova_exception.InstanceNotFound:
        LOG.info('Forgetting the live migration of a deleted instance',
                 instance_uuid=uuid)
        record.remove(uuid)
        return None
    if record.load(uuid) is None and not is_ours(
            context, manager.host, instance):
        return instance
    kept = record.load(uuid)
    if kept is None:
        # The conductor's request is still on its way.
        return None
    migration = objects.Migration.get_by_id(context, kept.migration_id)
    if instance.host != manager.host:
        _finish(manager, kept, instance, migration)
    else:
        _go_on(manager, kept, instance, migration)
    instance.refresh()
    return instance if instance.host == manager.host else None


def _finish(manager: upstream.ComputeManager, kept: record.Record,
            instance: objects.Instance,
            migration: objects.Migration) -> None:
    """Finish a migration whose instance is recorded on the destination."""
    if migration.status not in FINAL:
        migration.status = Status.COMPLETED
        migration.save()
    manager._delete_allocation_after_move(kept.context(), instance, migration)
    close(manager, kept.context(), instance.uuid)


def _go_on(manager: upstream.ComputeManager, kept: record.Record,
           instance: objects.Instance, migration: objects.Migration) -> None:
    """Continue a migration whose instance is recorded on this host."""
    found = manager.driver.post_copy_condition(instance)
    if found is Condition.UNKNOWN:
        raise nova_exception.HypervisorUnavailable()
    if instance.task_state == task_states.DELETING:
        record.update(instance.uuid, deleting=True)
    if instance.task_state == task_states.MIGRATING:
        pass
    elif (found in (*condition.HERE, Condition.SHUTOFF) and
          (migration.status in FINAL or not kept.started)):
        # Cancelled while queued, or the state of the server was reset.
        if migration.status not in FINAL:
            roll_back(manager, kept.context(), instance, migration)
        close(manager, kept.context(), instance.uuid)
        return
    elif found is not Condition.BROKEN:
        # Resetting the state does not stop libvirt, and the steps that end the
        # migration expect this task state.
        instance.task_state = task_states.MIGRATING
        instance.save()
    _watch(manager, kept, instance, migration, found)


def _watch(manager: upstream.ComputeManager, kept: record.Record,
           instance: objects.Instance, migration: objects.Migration,
           found: Condition) -> None:
    context = kept.context()
    if found in (Condition.POST_COPY, Condition.BROKEN):
        # Upstream does this at libvirt's event of the switch, which this
        # process may have missed.
        manager.network_api.migrate_instance_start(
            context, instance, migration)
    if not kept.started:
        manager._remove_remote_volume_connections(
            context, kept.dest, [bdm for bdm in kept.source_bdms
                                 if bdm.is_volume], instance)
    kept.migrate_data.migration = migration
    manager.driver.watch_live_migration(
        context, instance, kept.dest,
        functools.partial(manager._post_live_migration_update_host,
                          source_bdms=kept.source_bdms),
        functools.partial(manager._rollback_live_migration,
                          source_bdms=kept.source_bdms,
                          pre_live_migration=not kept.started),
        kept.block_migration, kept.migrate_data)


def close(manager: upstream.ComputeManager,
          context: nova_context.RequestContext, uuid: str) -> None:
    """Close a reconciled migration, and do what has waited for its end."""
    kept = record.load(uuid)
    if kept is None:
        record.remove(uuid)
        return
    instance = objects.Instance.get_by_uuid(
        context, uuid, expected_attrs=ATTRIBUTES)
    _release_resources(
        manager, context, instance,
        objects.Migration.get_by_id(context, kept.migration_id))
    left = (instance.host != manager.host and
            manager.driver.post_copy_condition(instance) in leftovers.LEFT)
    if left and not kept.deleting:
        record.set_aside(uuid)
        return
    if left:
        manager.driver.destroy(
            context, instance, instance.get_network_info(),
            destroy_disks=not kept.migrate_data.is_shared_instance_path)
    record.remove(uuid)
    if kept.deleting:
        instance.task_state = task_states.DELETING
        instance.save()
        manager.compute_rpcapi.terminate_instance(
            context, instance,
            objects.BlockDeviceMappingList.get_by_instance_uuid(
                context, uuid))


def _release_resources(manager: upstream.ComputeManager,
                       context: nova_context.RequestContext,
                       instance: objects.Instance,
                       migration: objects.Migration) -> None:
    """Make sure that the migration itself holds no allocations any more.

    Upstream has already released them, but treats a placement that does not
    answer as one that did.

    :raises keystoneauth1.exceptions.base.ClientException: placement still
        does not answer
    :raises nova.exception.AllocationDeleteFailed: the migration still holds
        allocations
    """
    if not _holds_resources(manager, context, migration):
        return
    if instance.host == manager.host:
        manager._revert_allocation(context, instance, migration)
    else:
        manager._delete_allocation_after_move(context, instance, migration)
    if _holds_resources(manager, context, migration):
        raise nova_exception.AllocationDeleteFailed(
            consumer_uuid=migration.uuid, error=_('it is still there'))


def _holds_resources(manager: upstream.ComputeManager,
                     context: nova_context.RequestContext,
                     migration: objects.Migration) -> bool:
    return bool(manager.reportclient.get_allocs_for_consumer(
        context, migration.uuid)['allocations'])


# Lost memory and failed migrations

def move_lost(manager: upstream.ComputeManager,
              context: nova_context.RequestContext,
              instance: objects.Instance, migration: objects.Migration,
              fault: exception.PostCopyFault) -> None:
    """Record on the destination an instance whose memory was lost.

    Its newest disk is there, from which an operator can start it. Nothing is
    cleaned up on either host.
    """
    node = manager._get_compute_info(context, migration.dest_compute)
    manager.network_api.migrate_instance_start(context, instance, migration)
    instance.apply_migration_context()
    instance.drop_migration_context()
    instance.host = migration.dest_compute
    instance.node = node.hypervisor_hostname
    instance.compute_id = node.id
    instance.vm_state = vm_states.ERROR
    instance.task_state = None
    instance.progress = 0
    instance.save()
    migration.status = Status.ERROR
    migration.save()
    instance_fault.add(context, instance, fault)
    manager._delete_allocation_after_move(context, instance, migration)


def roll_back(manager: upstream.ComputeManager,
              context: nova_context.RequestContext,
              instance: objects.Instance,
              migration: objects.Migration) -> None:
    """Undo the conductor's steps of a migration that never started."""
    manager._revert_allocation(context, instance, migration)
    if migration.dest_compute:
        manager.network_api.setup_networks_on_host(
            context, instance, host=migration.dest_compute, teardown=True)
    if instance.task_state == task_states.MIGRATING:
        instance.task_state = None
        instance.save(expected_task_state=task_states.MIGRATING)
    migration.status = Status.ERROR
    migration.save()
