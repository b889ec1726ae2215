# SPDX-License-Identifier: Apache-2.0

"""Rebuild a durable record that is damaged or missing.

The database says which migration it was, and libvirt where the guest is.
Neither says whether the hosts share storage, so nothing is deleted on either
host, as if they did. The volumes as they were on the source are found in
Cinder, once they are needed (:mod:`.attachments`).
"""

from oslo_log import log as logging

from nova import context as nova_context
from nova import objects

from nova_post_copy.compute import record
from nova_post_copy.compute import rpcapi
from nova_post_copy.objects.migration import BETWEEN_HOSTS
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import live_migrations
from nova_post_copy.objects.migration import newest
from nova_post_copy.objects.migration import requested
from nova_post_copy.objects.migration import Status
from nova_post_copy.objects.migration import unfinished

LOG = logging.getLogger(__name__)


def kept(context: nova_context.RequestContext, host: str,
         instance: objects.Instance) -> record.Record | None:
    """Return the record of an instance's migration from this host.

    If it is damaged, or missing although the migration is not over, it is
    written anew. The migration decides, not the task state of the instance,
    which anybody can reset.

    :returns: None: no migration has reached this host that is not over
    :raises nova_post_copy.compute.record.Unreadable: it may be whole
    :raises OSError: it cannot be written
    """
    try:
        found = record.load(instance.uuid)
        migration = None if found else unfinished(
            context, instance.uuid, source=host)
    except record.Damaged as exc:
        LOG.warning('%s. It is written anew: remove disks that the migration '
                    'leaves on either host manually', exc, instance=instance)
        found = None
        migration = _newest(context, host, instance)
    if found is not None:
        return found
    if migration is None or migration.status == Status.ACCEPTED:
        record.remove(instance.uuid)
        return None
    found = _rebuilt(context, host, instance, migration)
    record.write(found)
    return found


def _newest(context: nova_context.RequestContext, host: str,
            instance: objects.Instance) -> objects.Migration | None:
    """Return the migration of which a damaged record was."""
    ours = filter(requested, live_migrations(
        context, instance_uuid=instance.uuid, source_compute=host))
    return newest(ours)


def _rebuilt(context: nova_context.RequestContext, host: str,
             instance: objects.Instance,
             migration: objects.Migration) -> record.Record:
    request = next(
        (action for action in objects.InstanceActionList.get_by_instance_uuid(
            context, instance.uuid) if action.action == 'live-migration'),
        None)
    over = migration.status in FINAL
    outcome = _outcome(host, instance, migration) if over else None
    return record.Record(
        instance_uuid=instance.uuid, migration_id=migration.id,
        dest=migration.dest_compute, block_migration=False,
        request_id=request.request_id if request else context.request_id,
        user_id=instance.user_id, project_id=instance.project_id,
        migrate_data=objects.LibvirtLiveMigrateData(
            is_shared_instance_path=True, is_shared_block_storage=True,
            block_migration=False),
        resume_refusal=None if over else (
            rpcapi.PostCopyComputeAPI().resume_refusal(
                context, migration.dest_compute)),
        # Nobody can tell what was prepared for a guest that did not come.
        source_bdms=(objects.BlockDeviceMappingList()
                     if outcome is record.Outcome.ROLLED_BACK else None),
        started=over or migration.status in BETWEEN_HOSTS,
        outcome=outcome)


def _outcome(host: str, instance: objects.Instance,
             migration: objects.Migration) -> record.Outcome:
    if instance.host == host:
        return record.Outcome.ROLLED_BACK
    return (record.Outcome.ARRIVED if migration.status == Status.COMPLETED
            else record.Outcome.LOST)
