# SPDX-License-Identifier: Apache-2.0

"""Give up requests that a conductor accepted and dropped.

A conductor that dies leaves a server ``migrating`` for ever, because the
source has not received the request, or receives it late.
"""

from collections.abc import Callable

from oslo_log import log as logging
from oslo_utils import timeutils

from nova.compute import manager as upstream
from nova.compute import task_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import closing
from nova_post_copy.compute import states
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import live_migrations
from nova_post_copy.objects.migration import requested
from nova_post_copy.objects.migration import Status

LOG = logging.getLogger(__name__)

# Seconds after which a request that no conductor has touched counts as
# dropped; a conductor touches the requests that it works on more often.
DROPPED_AFTER_S = 180

# Statuses of a request that nobody has taken up. An evacuation of upstream's
# takes the first accepted migration of the server for its own.
_NOT_BEGUN = (Status.ACCEPTED, 'pre-migrating', 'done')

# Task states in which nobody else moves or rebuilds the server.
_UNDOABLE = (task_states.MIGRATING, None, *states.DELETING)


def was_given_up(context: nova_context.RequestContext,
                 migration: objects.Migration) -> bool:
    """Tell whether a request that arrives now has already been given up."""
    return objects.Migration.get_by_id(
        context, migration.id).status in FINAL


def ignore(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           migration: objects.Migration) -> None:
    """Ignore a request that arrives now, but not what it has claimed."""
    LOG.warning('Ignoring a request for a live migration that arrived after '
                'it was given up', instance_uuid=migration.instance_uuid)
    try:
        instance = objects.Instance.get_by_uuid(
            context, migration.instance_uuid,
            expected_attrs=closing.ATTRIBUTES)
    except nova_exception.InstanceNotFound:
        closing.release_deleted(manager, context, migration)
        return
    if instance.task_state in _UNDOABLE and (
            instance.host != manager.host or
            _holds_resources(manager, context, migration)):
        # An evacuation has ended it, or has written its own destination into
        # the row by which it was given up.
        _undo(manager, context, instance, migration)


def give_up(manager: upstream.ComputeManager,
            context: nova_context.RequestContext,
            claim: Callable[[objects.Migration], bool]) -> None:
    """Give up the dropped requests for servers on this host.

    :param claim: tells whether nothing handles a migration, and makes sure
        that its request is ignored if it arrives after all
    """
    for migration in live_migrations(
            context, source_compute=manager.host, status=list(_NOT_BEGUN)):
        since = migration.updated_at or migration.created_at
        if (not requested(migration) or
                not timeutils.is_older_than(since, DROPPED_AFTER_S) or
                not claim(migration)):
            continue
        # The request may have arrived since the list was made.
        migration = objects.Migration.get_by_id(context, migration.id)
        if migration.status not in _NOT_BEGUN:
            continue
        try:
            instance = objects.Instance.get_by_uuid(
                context, migration.instance_uuid,
                expected_attrs=closing.ATTRIBUTES)
        except nova_exception.InstanceNotFound:
            forget(manager, context, migration)
            continue
        refuse(manager, context, instance, migration,
               _('nova-conductor dropped the request'))


def refuse(manager: upstream.ComputeManager,
           context: nova_context.RequestContext, instance: objects.Instance,
           migration: objects.Migration, reason: str) -> None:
    """Undo a migration that never started, and tell why, if that can be now.

    While the server is evacuated or otherwise worked on, what is allocated to
    it changes. Then the migration stays as it is, and is found again.

    :param instance: as it is in the database now
    """
    if instance.task_state not in _UNDOABLE:
        LOG.info('Live migration %(id)s of the server does not begin: '
                 '%(reason)s. What it has claimed is released when the task '
                 'state of the server is not "%(state)s" any more', {
                     'id': migration.id, 'reason': reason,
                     'state': instance.task_state}, instance=instance)
        return
    _undo(manager, context, instance, migration)
    migration.status = Status.ERROR
    migration.save()
    if instance.task_state == task_states.DELETING:
        _release_if_deleted(manager, context, migration)
        return
    runs = (instance.host == manager.host and
            instance.vm_state in states.MOVABLE)
    instance_fault.add(context, instance, (
        exception.PostCopyRolledBack if runs else exception.PostCopyNotBegun)(
            host=manager.host,
            dest=migration.dest_compute or _('another host'), reason=reason))


def forget(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           migration: objects.Migration) -> None:
    """End a migration that never started, of a server that is deleted."""
    closing.release_deleted(manager, context, migration)
    migration.status = Status.ERROR
    migration.save()


def _undo(manager: upstream.ComputeManager,
          context: nova_context.RequestContext, instance: objects.Instance,
          migration: objects.Migration) -> None:
    """Undo the conductor's steps of a migration that never started."""
    used = _destination_is_used(context, instance, migration)
    reverted = False
    if instance.host == manager.host:
        reverted = manager._revert_allocation(context, instance, migration)
    else:
        # To revert would take away what the server has on its host.
        closing.release(manager, context, instance, migration)
    if not (reverted or used or
            _holds_resources(manager, context, migration)):
        _release_destination(manager, context, instance, migration)
    if not used:
        manager.network_api.setup_networks_on_host(
            context, instance, host=migration.dest_compute, teardown=True)
    if (instance.host == manager.host and
            instance.task_state == task_states.MIGRATING):
        instance.task_state = None
        instance.save(expected_task_state=task_states.MIGRATING)


def _destination_is_used(context: nova_context.RequestContext,
                         instance: objects.Instance,
                         migration: objects.Migration) -> bool:
    """Tell whether what is on the destination is not this migration's only.

    The server may be there by now, or another live migration goes there. One
    whose destination has not been chosen yet has nothing there.
    """
    if migration.dest_compute in (None, instance.host):
        return True
    return any(
        other.id != migration.id and other.status not in FINAL and
        other.source_compute == instance.host and
        other.dest_compute == migration.dest_compute
        for other in live_migrations(context, instance_uuid=instance.uuid))


def _holds_resources(manager: upstream.ComputeManager,
                     context: nova_context.RequestContext,
                     migration: objects.Migration) -> bool:
    return bool(manager.reportclient.get_allocs_for_consumer(
        context, migration.uuid)['allocations'])


def _release_destination(manager: upstream.ComputeManager,
                         context: nova_context.RequestContext,
                         instance: objects.Instance,
                         migration: objects.Migration) -> None:
    """Release what the scheduler has claimed for a server that did not go.

    An evacuation adds to it what it needs, and so does a live migration while
    another one holds what the server has on its host.
    """
    try:
        node = objects.ComputeNode.get_by_host_and_nodename(
            context, migration.dest_compute, migration.dest_node)
    except nova_exception.ComputeHostNotFound:
        # Removed meanwhile, and with it all that was allocated there.
        return
    manager.reportclient.remove_provider_tree_from_instance_allocation(
        context, instance.uuid, node.uuid)


def _release_if_deleted(manager: upstream.ComputeManager,
                        context: nova_context.RequestContext,
                        migration: objects.Migration) -> None:
    """Release what was given back to a server just after its end."""
    try:
        objects.Instance.get_by_uuid(context, migration.instance_uuid)
    except nova_exception.InstanceNotFound:
        closing.release_deleted(manager, context, migration)
