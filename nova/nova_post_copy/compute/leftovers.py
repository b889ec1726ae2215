# SPDX-License-Identifier: Apache-2.0

"""Remove what is left on the source of a server whose memory was lost.

That is the old half of its memory, in a paused QEMU, or the definition of a
domain whose QEMU has died; its connections to volumes; and, where the hosts
share the disks but not the directories of servers, its directory, which would
be in the way of the next migration to this host. None of it can be continued,
but while the half on the destination is alive, that is for an operator to
decide. What is left uses memory that Nova does not count, and a second copy
could be started from it. So it is removed as soon as the server runs again
elsewhere, or is deleted.

Of a server that is not deleted, disks are never touched; an operator removes
them.
"""

from oslo_log import log as logging

from nova.compute import manager as upstream
from nova import context as nova_context
from nova import exception
from nova.network import model as network_model
from nova import objects

from nova_post_copy.compute import attachments
from nova_post_copy.compute import record
from nova_post_copy.compute import rpcapi
from nova_post_copy.compute import volume_connections
from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition

LOG = logging.getLogger(__name__)

ATTRIBUTES = ('info_cache', 'flavor', 'system_metadata', 'migration_context')

# Conditions on the source of a guest that has left, with all of its memory or
# without; or that libvirt has forgotten in between.
LEFT = (Condition.BROKEN, Condition.MIGRATING, Condition.MIGRATED,
        *condition.OFF)


def remove_unneeded(manager: upstream.ComputeManager) -> None:
    """Remove each leftover on this host that is not needed any more."""
    for uuid in record.all_instances(record.LOST):
        try:
            needed = _may_be_needed(manager, uuid)
        except Exception as exc:
            LOG.warning('Leftovers of a server whose memory was lost are not '
                        'removed from this host yet: %s', exc,
                        instance_uuid=uuid)
        else:
            if not needed:
                record.remove(uuid, record.LOST)


def _may_be_needed(manager: upstream.ComputeManager, uuid: str) -> bool:
    try:
        kept = record.load(uuid, record.LOST)
    except record.Damaged as exc:
        LOG.warning('%s. Remove what the server has left on this host '
                    'manually', exc, instance_uuid=uuid)
        return False
    if kept is None:
        return False
    context = kept.context()
    try:
        instance = objects.Instance.get_by_uuid(
            context, uuid, expected_attrs=ATTRIBUTES)
    except exception.InstanceNotFound:
        _forget(manager, kept)
        return False
    if instance.host == manager.host:
        # The server is back: what is here is the server itself.
        return False
    # RUNNING on the destination only after the server was started again.
    there = rpcapi.PostCopyComputeAPI().guest_condition(
        context, instance.host, instance)
    # The answer may have taken a while: check last that the server is not on
    # its way back.
    found = manager.driver.post_copy_condition(instance)
    instance.refresh()
    if (there is not Condition.RUNNING or
            found not in (*LEFT, Condition.ABSENT) or
            instance.task_state is not None or
            instance.host == manager.host):
        return True
    LOG.info('The server runs on %s: removing what its failed migration left '
             'on this host, except disks', instance.host, instance=instance)
    _remove(manager, context, instance, kept, destroy_disks=False)
    return False


def _forget(manager: upstream.ComputeManager, kept: record.Record) -> None:
    """Remove what a server that was deleted as lost has left here."""
    context = nova_context.get_admin_context(read_deleted='yes')
    try:
        instance = objects.Instance.get_by_uuid(
            context, kept.instance_uuid, expected_attrs=ATTRIBUTES)
    except exception.InstanceNotFound:
        # Its rows were archived.
        return
    remove_of_deleted(manager, kept.context(), instance, kept)


def remove(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           instance: objects.Instance, kept: record.Record) -> None:
    """Remove all that a server that is to be deleted has left here.

    Also its disk, unless the other host uses it.
    """
    _remove(manager, context, instance, kept,
            is_disk_of_this_host(manager, instance, kept))


def is_disk_of_this_host(manager: upstream.ComputeManager,
                         instance: objects.Instance,
                         kept: record.Record) -> bool:
    """Tell whether the hosts of a migration share no disk of the server."""
    _cleanup, destroy_disks = manager._live_migration_cleanup_flags(
        kept.migrate_data, migr_ctxt=instance.migration_context)
    return destroy_disks


def remove_of_deleted(manager: upstream.ComputeManager,
                      context: nova_context.RequestContext,
                      instance: objects.Instance,
                      kept: record.Record) -> None:
    """Remove all that a server that is deleted has left here.

    What runs is for upstream to remove, which asks the operator how. And the
    other host could not remove an image in Ceph that was open here.

    :raises Exception: something is left; call again later
    """
    if instance.host != manager.host and (
            manager.driver.post_copy_condition(instance)
            in (*LEFT, Condition.ABSENT)):
        _remove(manager, context, instance, kept,
                is_disk_of_this_host(manager, instance, kept) or
                not kept.migrate_data.is_shared_instance_path)
    attachments.release(manager, context, instance, kept)


def _remove(manager: upstream.ComputeManager,
            context: nova_context.RequestContext,
            instance: objects.Instance, kept: record.Record,
            destroy_disks: bool) -> None:
    bdms = volume_connections.source_bdms(manager, context, kept)
    manager.driver.remove_leftover(
        context, instance, _source_vifs(instance, kept),
        manager._get_instance_block_device_info(context, instance, bdms=bdms),
        destroy_disks, kept.migrate_data)
    attachments.release_source(
        manager, context, instance, kept._replace(source_bdms=bdms))


def _source_vifs(instance: objects.Instance,
                 kept: record.Record) -> network_model.NetworkInfo:
    """Return the interfaces as they were plugged on the source."""
    if 'vifs' in kept.migrate_data and kept.migrate_data.vifs:
        return network_model.NetworkInfo.hydrate(
            [vif.source_vif for vif in kept.migrate_data.vifs])
    return instance.get_network_info()
