# SPDX-License-Identifier: Apache-2.0

"""Delete a migrating server, for good or softly, when its migration is over.

Until then the guest may be on two hosts, and whoever deletes only one of them
frees ports and volumes that the other one uses. The record remembers what was
asked for. After the end the delete is carried out where the server is; a
delete that comes too late for the record is upstream's, on the host where the
server is by then.
"""

from oslo_log import log as logging

from nova.compute import manager as upstream
from nova.compute import task_states
from nova import context as nova_context
from nova import exception
from nova import objects

from nova_post_copy.compute import rebuilding
from nova_post_copy.compute import record
from nova_post_copy.compute.record import DeleteType
from nova_post_copy.objects.migration import live_migrations
from nova_post_copy.objects.migration import requested
from nova_post_copy.objects.migration import Status

LOG = logging.getLogger(__name__)

_TASK_STATES = {DeleteType.DELETE: task_states.DELETING,
                DeleteType.SOFT_DELETE: task_states.SOFT_DELETING}
_TYPES = {state: delete_type for delete_type, state in _TASK_STATES.items()}
# Before the switch there is a way back, and it is shorter.
_CAN_BE_ABORTED = (Status.QUEUED, Status.PREPARING, Status.RUNNING)


def postpone(manager: upstream.ComputeManager,
             context: nova_context.RequestContext,
             instance: objects.Instance, delete_type: DeleteType) -> bool:
    """Remember a delete if the server may be on two hosts.

    :returns: False: delete it now, and here
    :raises Exception: the database does not answer
    """
    try:
        kept = rebuilding.kept(context, manager.host, instance)
        if kept is not None and kept.outcome is None:
            kept = record.update(instance.uuid, delete_type=delete_type)
    except FileNotFoundError:
        # The migration has ended at this moment.
        kept = None
    except (record.Unreadable, OSError) as exc:
        # The task state remembers it until the record can be read.
        LOG.error('The server will be deleted when the record of its live '
                  'migration can be read and written again: %s', exc,
                  instance=instance)
        return True
    if kept is None or kept.outcome is not None:
        return _forward(manager, context, instance, delete_type)
    LOG.info('The server will be deleted when its live migration is over',
             instance=instance)
    # The steps that end the migration expect this task state.
    instance.task_state = task_states.MIGRATING
    instance.save(expected_task_state=[
        _TASK_STATES[delete_type], task_states.MIGRATING])
    _abort(manager, context, instance, kept)
    return True


def remember(instance: objects.Instance) -> None:
    """Write a delete into the record that only the task state remembers."""
    delete_type = _TYPES.get(instance.task_state)
    if delete_type is not None:
        record.update(instance.uuid, delete_type=delete_type)


def _forward(manager: upstream.ComputeManager,
             context: nova_context.RequestContext,
             instance: objects.Instance, delete_type: DeleteType) -> bool:
    """Let the host where the server is by now delete it, if it has moved."""
    try:
        fresh = objects.Instance.get_by_uuid(context, instance.uuid)
    except exception.InstanceNotFound:
        return False
    if fresh.host in (None, manager.host) or not any(
            map(requested, live_migrations(
                context, instance_uuid=instance.uuid,
                source_compute=manager.host))):
        return False
    instance.refresh()
    _cast(manager, context, instance, delete_type)
    return True


def _abort(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           instance: objects.Instance, kept: record.Record) -> None:
    migration = objects.Migration.get_by_id(context, kept.migration_id)
    if migration.status not in _CAN_BE_ABORTED:
        return
    try:
        manager.live_migration_abort(context, instance, kept.migration_id)
    except Exception as exc:
        # It has just switched, or is about to end.
        LOG.info('The live migration is not aborted: %s', exc,
                 instance=instance)


def carry_out(manager: upstream.ComputeManager,
              context: nova_context.RequestContext,
              instance: objects.Instance, delete_type: str) -> None:
    """Delete a server whose migration is over, where it is.

    The record stays until that is done, or the other host has been told.

    :raises Exception: it failed; it may be repeated
    """
    delete_type = DeleteType(delete_type)
    instance.task_state = _TASK_STATES[delete_type]
    instance.save()
    if instance.host != manager.host:
        _cast(manager, context, instance, delete_type)
    elif delete_type is DeleteType.SOFT_DELETE:
        manager.soft_delete_now(context, instance)
    else:
        manager.terminate_now(
            context, instance,
            objects.BlockDeviceMappingList.get_by_instance_uuid(
                context, instance.uuid))


def _cast(manager: upstream.ComputeManager,
          context: nova_context.RequestContext,
          instance: objects.Instance, delete_type: DeleteType) -> None:
    LOG.info('The server is deleted on %s, where it is', instance.host,
             instance=instance)
    if delete_type is DeleteType.SOFT_DELETE:
        manager.compute_rpcapi.soft_delete_instance(context, instance)
    else:
        manager.compute_rpcapi.terminate_instance(
            context, instance,
            objects.BlockDeviceMappingList.get_by_instance_uuid(
                context, instance.uuid))
