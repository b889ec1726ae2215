# SPDX-License-Identifier: Apache-2.0

"""Close a migration that has ended: compare every outside fact, then delete.

Upstream's last steps are done by then, but upstream takes a service that fails
for one that has done what it was asked for. The record stays until bindings,
attachments, allocations and devices agree with where the guest is; each step
may be repeated.
"""

from collections.abc import Callable

from oslo_log import log as logging

from nova.compute import manager as upstream
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import attachments
from nova_post_copy.compute import bindings
from nova_post_copy.compute import deletes
from nova_post_copy.compute import devices
from nova_post_copy.compute import leftovers
from nova_post_copy.compute import record
from nova_post_copy.compute.record import DeleteType
from nova_post_copy.compute.record import Outcome
from nova_post_copy.compute import volume_connections

LOG = logging.getLogger(__name__)

ATTRIBUTES = ('info_cache', 'metadata', 'system_metadata', 'numa_topology',
              'flavor', 'migration_context')

_Step = Callable[[upstream.ComputeManager, nova_context.RequestContext,
                  objects.Instance, record.Record], None]


def close(manager: upstream.ComputeManager,
          context: nova_context.RequestContext, uuid: str,
          outcome: Outcome) -> None:
    """Close the migration of an instance, and do what has waited for its end.

    :param outcome: how it has ended; upstream's last steps are done
    :raises Exception: something does not agree yet; call again later
    """
    try:
        kept = record.update(uuid, outcome=outcome)
    except FileNotFoundError:
        return
    instance = objects.Instance.get_by_uuid(
        context, uuid, expected_attrs=ATTRIBUTES)
    _settle(manager, context, instance, kept)
    # What is lost may be needed until the server runs elsewhere, and is
    # known by the record.
    dispose = (record.set_aside if outcome is Outcome.LOST
               else record.remove)
    delete_type = record.close(uuid, dispose)
    if delete_type is None:
        return
    if outcome is Outcome.LOST and delete_type == DeleteType.DELETE:
        leftovers.remove(manager, context, instance, kept)
        dispose = record.remove
    deletes.carry_out(manager, context, instance, delete_type)
    dispose(uuid)


def forget(manager: upstream.ComputeManager,
           instance: objects.Instance, kept: record.Record) -> None:
    """Close the migration of an instance that is deleted.

    Its ports are gone, and with them the bindings.

    :param instance: as it was when it was deleted
    :raises Exception: something is left; call again later
    """
    LOG.info('Forgetting the live migration of a deleted server',
             instance=instance)
    context = kept.context()
    migration = objects.Migration.get_by_id(context, kept.migration_id)
    release_deleted(manager, context, migration)
    leftovers.remove_of_deleted(manager, context, instance, kept)
    record.remove(instance.uuid)


def release_deleted(manager: upstream.ComputeManager,
                    context: nova_context.RequestContext,
                    migration: objects.Migration) -> None:
    """Release what is allocated for a server that is deleted.

    A conductor that was about to migrate it may have claimed the destination
    after that.
    """
    for consumer, of_type in ((migration.uuid, 'migration'),
                              (migration.instance_uuid, 'instance')):
        if _holds_resources(manager, context, consumer):
            manager.reportclient.delete_allocation_for_instance(
                context, consumer, consumer_type=of_type, force=True)


def _settle(manager: upstream.ComputeManager,
            context: nova_context.RequestContext,
            instance: objects.Instance, kept: record.Record) -> None:
    """Take each step, also if one before it fails: services fail singly.

    :raises Exception: that of the first one that has failed
    """
    errors = []
    for step in _steps(kept):
        try:
            with attachments.refusal_explained():
                step(manager, context, instance, kept)
        except Exception as exc:
            LOG.warning('After the live migration something is left to do, '
                        'retrying: %s', exc, instance=instance)
            errors.append(exc)
    if errors:
        raise errors[0]


def _steps(kept: record.Record) -> tuple[_Step, ...]:
    if kept.outcome == Outcome.LOST:
        # The half on this host still has its volumes open.
        return _settle_bindings, _release_resources, _know_volumes
    return (_settle_bindings, _release_resources, attachments.settle,
            devices.settle)


def _settle_bindings(manager: upstream.ComputeManager,
                     context: nova_context.RequestContext,
                     instance: objects.Instance,
                     kept: record.Record) -> None:
    bindings.settle(manager, context, instance,
                    {manager.host, kept.dest} - {instance.host})


def _know_volumes(manager: upstream.ComputeManager,
                  context: nova_context.RequestContext,
                  instance: objects.Instance, kept: record.Record) -> None:
    """Write into a rebuilt record which volumes this host has open."""
    volume_connections.source_bdms(manager, context, kept)


def _release_resources(manager: upstream.ComputeManager,
                       context: nova_context.RequestContext,
                       instance: objects.Instance,
                       kept: record.Record) -> None:
    release(manager, context, instance,
            objects.Migration.get_by_id(context, kept.migration_id))


def release(manager: upstream.ComputeManager,
            context: nova_context.RequestContext, instance: objects.Instance,
            migration: objects.Migration) -> None:
    """Make sure that the migration itself holds no allocations any more.

    :raises keystoneauth1.exceptions.base.ClientException: placement still
        does not answer
    :raises nova.exception.AllocationDeleteFailed: the migration still holds
        allocations
    """
    if not _holds_resources(manager, context, migration.uuid):
        return
    if instance.host == migration.source_compute:
        manager._revert_allocation(context, instance, migration)
    else:
        manager._delete_allocation_after_move(context, instance, migration)
    if _holds_resources(manager, context, migration.uuid):
        raise nova_exception.AllocationDeleteFailed(
            consumer_uuid=migration.uuid, error=_('it is still there'))


def _holds_resources(manager: upstream.ComputeManager,
                     context: nova_context.RequestContext,
                     consumer: str) -> bool:
    return bool(manager.reportclient.get_allocs_for_consumer(
        context, consumer)['allocations'])
