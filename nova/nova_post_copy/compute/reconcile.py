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
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import closing
from nova_post_copy.compute import deletes
from nova_post_copy.compute import leftovers
from nova_post_copy.compute import rebuilding
from nova_post_copy.compute import record
from nova_post_copy.compute.record import Outcome
from nova_post_copy.compute import states
from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import Status
from nova_post_copy.objects.migration import unfinished

LOG = logging.getLogger(__name__)


class NotYet(Exception):
    """What is found does not allow to finish now."""


# When the service starts

def is_ours(context: nova_context.RequestContext, host: str,
            instance: objects.Instance) -> bool:
    """Tell whether an instance on this host has a migration to reconcile.

    Upstream would reset the instance, whose guest may be gone.
    """
    try:
        if rebuilding.kept(context, host, instance) is not None:
            return True
    except (record.Unreadable, OSError) as exc:
        LOG.error('The live migration is not reconciled until its record can '
                  'be read and written: %s', exc, instance=instance)
        return True
    # The request of a conductor may be on its way.
    return unfinished(context, instance.uuid, source=host) is not None


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
            context, uuid, expected_attrs=closing.ATTRIBUTES)
    except nova_exception.InstanceNotFound:
        _forget(manager, uuid)
        return None
    kept = rebuilding.kept(context, manager.host, instance)
    if kept is None:
        # Over; or the conductor's request is still on its way.
        return (None if unfinished(context, uuid, source=manager.host)
                else instance)
    migration = objects.Migration.get_by_id(context, kept.migration_id)
    if kept.outcome is not None:
        closing.close(manager, kept.context(), uuid, Outcome(kept.outcome))
    elif instance.host == manager.host:
        _go_on(manager, kept, instance, migration)
    elif instance.host == kept.dest:
        _finish(manager, kept, instance, migration)
    else:
        _leave(manager, kept, instance, migration)
    return _still_here(manager, context, uuid)


def _still_here(manager: upstream.ComputeManager,
                context: nova_context.RequestContext,
                uuid: str) -> objects.Instance | None:
    try:
        instance = objects.Instance.get_by_uuid(
            context, uuid, expected_attrs=closing.ATTRIBUTES)
    except nova_exception.InstanceNotFound:
        return None
    return instance if instance.host == manager.host else None


def _forget(manager: upstream.ComputeManager, uuid: str) -> None:
    context = nova_context.get_admin_context(read_deleted='yes')
    try:
        instance = objects.Instance.get_by_uuid(
            context, uuid, expected_attrs=closing.ATTRIBUTES)
    except nova_exception.InstanceNotFound:
        # Its rows were archived.
        record.remove(uuid)
        return
    kept = rebuilding.kept(context, manager.host, instance)
    if kept is not None:
        closing.forget(manager, instance, kept)


def _finish(manager: upstream.ComputeManager, kept: record.Record,
            instance: objects.Instance,
            migration: objects.Migration) -> None:
    """Finish a migration whose instance is recorded on the destination."""
    found = manager.driver.post_copy_condition(instance)
    lost = migration.status in (Status.ERROR, Status.FAILED)
    if found in (Condition.UNKNOWN, *condition.HERE) or (
            found is Condition.POST_COPY and not lost):
        raise NotYet(_(
            'the server is recorded on %(dest)s, but its guest on this host '
            'is in state "%(found)s"') % {'dest': kept.dest, 'found': found})
    if not lost and found is Condition.BROKEN:
        # Recorded there as lost, and not more than that.
        lost = True
        migration.status = Status.ERROR
        migration.save()
    if not lost:
        if migration.status == Status.COMPLETED:
            # Given up by an operator while this host was down, when all of
            # the guest had arrived: upstream's steps were never taken here.
            leftovers.remove(manager, kept.context(), instance, kept)
        else:
            migration.status = Status.COMPLETED
            migration.save()
    manager._delete_allocation_after_move(kept.context(), instance, migration)
    closing.close(manager, kept.context(), instance.uuid,
                  Outcome.LOST if lost else Outcome.ARRIVED)


def _leave(manager: upstream.ComputeManager, kept: record.Record,
           instance: objects.Instance, migration: objects.Migration) -> None:
    """End a migration whose instance is on neither of its hosts.

    It was given up, and evacuated to a third one.
    """
    found = manager.driver.post_copy_condition(instance)
    if found not in (*leftovers.LEFT, Condition.ABSENT):
        raise NotYet(_(
            'the server is recorded on %(third)s, but its guest on this host '
            'is in state "%(found)s": nova-compute removes it at its next '
            'start, if the server was evacuated') % {
                'third': instance.host, 'found': found})
    if migration.status not in FINAL:
        migration.status = Status.ERROR
        migration.save()
    closing.close(manager, kept.context(), instance.uuid, Outcome.LOST)


def _go_on(manager: upstream.ComputeManager, kept: record.Record,
           instance: objects.Instance, migration: objects.Migration) -> None:
    """Continue a migration whose instance is recorded on this host."""
    found = manager.driver.post_copy_condition(instance)
    if found is Condition.UNKNOWN:
        raise nova_exception.HypervisorUnavailable()
    deletes.remember(instance)
    if migration.status in FINAL:
        if not kept.started:
            _cancelled(manager, kept, instance)
            return
        _take_up(manager, instance, migration, found)
    states.put_back(instance, found)
    _watch(manager, kept, instance, migration)


def _cancelled(manager: upstream.ComputeManager, kept: record.Record,
               instance: objects.Instance) -> None:
    """Close a migration that was cancelled or given up while queued."""
    if instance.task_state == task_states.MIGRATING:
        instance.task_state = None
        instance.save(expected_task_state=[task_states.MIGRATING])
    closing.close(manager, kept.context(), instance.uuid,
                  Outcome.ROLLED_BACK)


def _take_up(manager: upstream.ComputeManager, instance: objects.Instance,
             migration: objects.Migration, found: Condition) -> None:
    """Take up a migration that ended in the database only.

    An operator has given it up while this host was down, and recorded the
    server here, because its guest was not seen on the destination. Or this
    service was stopped when all was rolled back but for the record.

    :raises NotYet: somebody works on the server: it is evacuated
    """
    if instance.task_state not in (None, task_states.MIGRATING,
                                   *states.DELETING):
        raise NotYet(_(
            'its live migration was given up, and the task state of the '
            'server is now "%s"') % instance.task_state)
    if found in condition.HERE:
        try:
            manager.driver.live_migration_abort(instance)
        except Exception as exc:
            # libvirt has ended it by itself.
            LOG.debug('Nothing to abort: %s', exc, instance=instance)
    elif found not in (Condition.BROKEN, *condition.OFF):
        # It has switched since, or is about to: the guest alone is right.
        migration.status = Status.RUNNING_POST_COPY
        migration.save()


def _watch(manager: upstream.ComputeManager, kept: record.Record,
           instance: objects.Instance,
           migration: objects.Migration) -> None:
    kept.migrate_data.migration = migration
    manager.driver.watch_live_migration(
        kept.context(), instance, kept.dest,
        functools.partial(manager._post_live_migration_update_host,
                          source_bdms=kept.source_bdms),
        functools.partial(manager._rollback_live_migration,
                          source_bdms=kept.source_bdms,
                          pre_live_migration=not kept.started),
        kept.block_migration, kept.migrate_data)
