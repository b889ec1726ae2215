# SPDX-License-Identifier: Apache-2.0

"""Stand in, on the destination, for a source whose nova-compute is down.

A guest on this host waits for memory that only its source has. Only the
destination can tell the user then, put back states that somebody resets
meanwhile, and, once an operator has given the migration up, let ports,
allocations and volume attachments follow.
"""

from collections.abc import Callable
import datetime

from oslo_log import log as logging
from oslo_utils import timeutils

from nova.compute import manager as upstream
from nova.compute import task_states
from nova.compute import vm_states
import nova.conf
from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects

from nova_post_copy.compute import attachments
from nova_post_copy.compute import bindings
from nova_post_copy.compute import closing
from nova_post_copy.compute import states
from nova_post_copy.compute import stray_attachments
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.objects.migration import between_hosts
from nova_post_copy.objects.migration import BETWEEN_HOSTS
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import live_migrations
from nova_post_copy.objects.migration import requested
from nova_post_copy.objects.migration import Status
from nova_post_copy.objects import service

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# How long Cinder is asked to release the source of a server that runs again.
VOLUMES_FOR = datetime.timedelta(days=1)


def report(manager: upstream.ComputeManager,
           context: nova_context.RequestContext) -> None:
    """Stand in for each dead source of a guest on this host."""
    for migration in live_migrations(context, dest_compute=manager.host,
                                     status=list(BETWEEN_HOSTS)):
        if requested(migration) and not service.compute_is_up(
                context, migration.source_compute):
            try:
                _watch(manager, context, migration)
            except nova_exception.InstanceNotFound:
                continue


def _watch(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           migration: objects.Migration) -> None:
    instance = objects.Instance.get_by_uuid(
        context, migration.instance_uuid, expected_attrs=closing.ATTRIBUTES)
    if (instance.host != migration.source_compute or
            instance.task_state in states.DELETING):
        return
    found = manager.driver.post_copy_condition(instance)
    _put_back(context, instance, migration, found)
    if found is not Condition.BROKEN:
        return
    fault = exception.PostCopySourceSilent(
        host=migration.source_compute, dest=manager.host)
    if not _is_told(context, instance, fault):
        instance_fault.add(context, instance, fault)
    if (CONF.post_copy.error_when_unreachable and
            instance.vm_state != vm_states.ERROR):
        instance.vm_state = vm_states.ERROR
        instance.save()


def _put_back(context: nova_context.RequestContext,
              instance: objects.Instance, migration: objects.Migration,
              found: Condition) -> None:
    """Put back what a reset has changed, unless it was no reset.

    Giving the migration up changes the same states, perhaps at this moment.
    """
    before = instance.vm_state
    states.put_back(instance, found)
    if objects.Migration.get_by_id(context, migration.id).status in FINAL:
        instance.vm_state = before
        instance.task_state = None
        instance.save(expected_task_state=[task_states.MIGRATING])


def _is_told(context: nova_context.RequestContext,
             instance: objects.Instance,
             fault: exception.PostCopyFault) -> bool:
    """Tell whether the newest fault says it, also after a restart."""
    faults = objects.InstanceFaultList.get_by_instance_uuids(
        context, [instance.uuid])
    return bool(faults) and faults[0].message == fault.PUBLIC


def settle_given_up(manager: upstream.ComputeManager,
                    context: nova_context.RequestContext) -> None:
    """Let what other services hold follow lost servers to this host.

    Their source does that itself, if it is alive. Volumes may still be left
    when the server was started again, or is deleted.
    """
    waiting = manager.driver.post_copy_broken_guests()
    for uuid in waiting:
        try:
            instance = objects.Instance.get_by_uuid(
                context, uuid, expected_attrs=closing.ATTRIBUTES)
        except nova_exception.InstanceNotFound:
            continue
        # While it leaves for a third host, its bindings are the monitor's.
        if instance.host == manager.host and not between_hosts(context, uuid):
            for migration in live_migrations(
                    context, instance_uuid=uuid, dest_compute=manager.host,
                    status=list(FINAL)):
                if _has_no_source(context, migration):
                    _follow(manager, context, instance, migration)
    # A server takes its migrations along.
    also_deleted = context.elevated(read_deleted='yes')
    for migration in live_migrations(
            also_deleted, dest_compute=manager.host, status=[Status.ERROR],
            **{'changes-since': timeutils.utcnow() - VOLUMES_FOR}):
        if (migration.instance_uuid in waiting or
                not _has_no_source(context, migration)):
            continue
        try:
            instance = objects.Instance.get_by_uuid(
                also_deleted, migration.instance_uuid)
        except nova_exception.InstanceNotFound:
            # Its rows were archived.
            continue
        if instance.host != migration.source_compute:
            _try(instance, lambda: _release_volumes(
                manager, also_deleted, instance, migration))


def _has_no_source(context: nova_context.RequestContext,
                   migration: objects.Migration) -> bool:
    return requested(migration) is True and not service.compute_is_up(
        context, migration.source_compute)


def _follow(manager: upstream.ComputeManager,
            context: nova_context.RequestContext,
            instance: objects.Instance,
            migration: objects.Migration) -> None:
    """Take each step, also if one before it fails: services fail singly."""
    _try(instance, lambda: bindings.settle(
        manager, context, instance,
        {migration.source_compute} - {manager.host}))
    _try(instance, lambda: closing.release(
        manager, context, instance, migration))
    _try(instance, lambda: _release_volumes(
        manager, context, instance, migration))


def _release_volumes(manager: upstream.ComputeManager,
                     context: nova_context.RequestContext,
                     instance: objects.Instance,
                     migration: objects.Migration) -> None:
    with attachments.refusal_explained():
        stray_attachments.release(context, manager.volume_api, instance.uuid,
                                  migration.source_compute)


def _try(instance: objects.Instance, step: Callable[[], None]) -> None:
    try:
        step()
    except Exception as exc:
        LOG.warning('Ports, allocations or volumes have not followed the '
                    'server to this host yet: %s', exc, instance=instance)
