# SPDX-License-Identifier: Apache-2.0

"""What is prepared on this host for a guest that has not arrived.

It is noted in ``$state_path/post_copy_prepared`` before it is prepared, and
removed when the migration has failed. The request to do so comes once: it is
lost if this service or libvirt is away just then. What stayed, a disk that was
copied in part, would be in the way of the next migration to this host; and an
evacuation to it would start the server from that disk.
"""

from collections.abc import Iterator
import contextlib

from oslo_concurrency import lockutils
from oslo_log import log as logging

from nova.compute import manager as upstream
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import closing
from nova_post_copy.compute import leftovers
from nova_post_copy.compute import record
from nova_post_copy.objects.migration import FINAL

LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def alone(instance_uuid: str) -> Iterator[None]:
    """Let nobody else prepare or remove anything for a server meanwhile.

    A destination may still prepare what its source has given up.
    """
    with lockutils.lock('post-copy-prepared-' + instance_uuid):
        yield


def note(host: str, context: nova_context.RequestContext,
         migration: objects.Migration,
         migrate_data: objects.LibvirtLiveMigrateData) -> None:
    """Note what is going to be prepared, or could not be removed.

    :raises OSError: it cannot be written
    """
    record.write(record.Record(
        instance_uuid=migration.instance_uuid, migration_id=migration.id,
        dest=host, block_migration=False, request_id=context.request_id,
        user_id=context.user_id, project_id=context.project_id,
        migrate_data=migrate_data, source_bdms=None), record.PREPARED)


def forget(instance_uuid: str) -> None:
    """Note that the guest has arrived, or that nothing of it is left."""
    record.remove(instance_uuid, record.PREPARED)


def remove_unneeded(manager: upstream.ComputeManager) -> None:
    """Remove what is on this host for migrations that have failed."""
    for uuid in record.all_instances(record.PREPARED):
        try:
            with alone(uuid):
                _remove_if_quiet(manager, uuid)
        except Exception as exc:
            LOG.warning('What was prepared on this host for a live migration '
                        'that has failed is not removed yet: %s', exc,
                        instance_uuid=uuid)


def _remove_if_quiet(manager: upstream.ComputeManager, uuid: str) -> None:
    """Remove it, unless something else happens to the server just now."""
    try:
        instance = objects.Instance.get_by_uuid(
            nova_context.get_admin_context(), uuid)
        if instance.host != manager.host and instance.task_state is not None:
            return
    except nova_exception.InstanceNotFound:
        pass
    remove(manager, uuid)


def remove(manager: upstream.ComputeManager, uuid: str) -> None:
    """Remove what a migration that is over has left on this host, if any has.

    :raises MigrationPreCheckError: the migration is not over
    :raises nova_post_copy.exception.PostCopyLiveCopy: the guest is here
    :raises Exception: something is left; call again later
    """
    try:
        kept = record.load(uuid, record.PREPARED)
    except record.Damaged as exc:
        LOG.warning('%s. Remove what the migration has left on this host '
                    'manually', exc, instance_uuid=uuid)
        forget(uuid)
        return
    if kept is None:
        return
    instance = _instance(uuid)
    if instance is None or (
            not instance.deleted and instance.host == manager.host):
        forget(uuid)
        return
    if not _is_over(kept):
        raise nova_exception.MigrationPreCheckError(reason=_(
            'a live migration of the server to that host has not finished'))
    manager.driver.check_not_arrived(instance)
    LOG.info('Removing what was prepared on this host for a live migration '
             'that has failed', instance=instance)
    manager.roll_back_here(
        kept.context(), instance,
        leftovers.is_disk_of_this_host(manager, instance, kept),
        kept.migrate_data)
    forget(uuid)


def _instance(uuid: str) -> objects.Instance | None:
    """Return a server, also one that is deleted; None once that is purged."""
    try:
        return objects.Instance.get_by_uuid(
            nova_context.get_admin_context(read_deleted='yes'), uuid,
            expected_attrs=closing.ATTRIBUTES)
    except nova_exception.InstanceNotFound:
        return None


def _is_over(kept: record.Record) -> bool:
    try:
        return objects.Migration.get_by_id(
            kept.context(), kept.migration_id).status in FINAL
    except nova_exception.MigrationNotFound:
        return True
