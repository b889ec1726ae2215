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
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.objects.migration import between_hosts
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import live_migrations
from nova_post_copy.objects.migration import requested
from nova_post_copy.objects.migration import Status

LOG = logging.getLogger(__name__)

# Seconds after which a request that no conductor has touched counts as
# dropped; a conductor touches the requests that it works on more often.
DROPPED_AFTER_S = 180


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
        objects.Instance.get_by_uuid(context, migration.instance_uuid)
    except nova_exception.InstanceNotFound:
        closing.release_deleted(manager, context, migration)


def give_up(manager: upstream.ComputeManager,
            context: nova_context.RequestContext,
            claim: Callable[[objects.Migration], bool]) -> None:
    """Give up the dropped requests for servers on this host.

    :param claim: tells whether nothing handles a migration, and makes sure
        that its request is ignored if it arrives after all
    """
    for migration in live_migrations(
            context, source_compute=manager.host, status=Status.ACCEPTED):
        since = migration.updated_at or migration.created_at
        if (not requested(migration) or
                not timeutils.is_older_than(since, DROPPED_AFTER_S) or
                not claim(migration)):
            continue
        # The request may have arrived since the list was made.
        migration = objects.Migration.get_by_id(context, migration.id)
        if migration.status != Status.ACCEPTED:
            continue
        try:
            instance = objects.Instance.get_by_uuid(
                context, migration.instance_uuid,
                expected_attrs=closing.ATTRIBUTES)
        except nova_exception.InstanceNotFound:
            closing.release_deleted(manager, context, migration)
            continue
        roll_back(manager, context, instance, migration)
        instance_fault.add(context, instance, exception.PostCopyRolledBack(
            host=manager.host,
            dest=migration.dest_compute or _('another host'),
            reason=_('nova-conductor dropped the request')
        ))


def refuse(manager: upstream.ComputeManager,
           context: nova_context.RequestContext, instance: objects.Instance,
           migration: objects.Migration, reason: str) -> None:
    """Refuse a request that has arrived at its source."""
    roll_back(manager, context, instance, migration)
    instance_fault.add(context, instance, exception.PostCopyRolledBack(
        host=instance.host, dest=migration.dest_compute, reason=reason))


def roll_back(manager: upstream.ComputeManager,
              context: nova_context.RequestContext,
              instance: objects.Instance,
              migration: objects.Migration) -> None:
    """Undo the conductor's steps of a migration that never started."""
    manager._revert_allocation(context, instance, migration)
    other = between_hosts(context, instance.uuid)
    if migration.dest_compute and (
            other is None or other.dest_compute != migration.dest_compute):
        manager.network_api.setup_networks_on_host(
            context, instance, host=migration.dest_compute, teardown=True)
    if instance.task_state == task_states.MIGRATING:
        instance.task_state = None
        instance.save(expected_task_state=task_states.MIGRATING)
    migration.status = Status.ERROR
    migration.save()
