# SPDX-License-Identifier: Apache-2.0

"""Remove what is left on the source of a server whose memory was lost.

That is the old half of its memory, in a paused QEMU, or the definition of a
domain whose QEMU has died. Neither can be continued, but while the half on the
destination is alive, that is for an operator to decide. What is left uses
memory that Nova does not count, and a second copy could be started from it.
So it is removed as soon as the server runs again elsewhere.

Disks are never touched; an operator removes them.
"""

from oslo_log import log as logging

from nova.compute import manager as upstream
from nova import exception
from nova import objects

from nova_post_copy.compute import record
from nova_post_copy.compute import rpcapi
from nova_post_copy.decisions.condition import Condition

LOG = logging.getLogger(__name__)

# Conditions on the source of a guest that has left without all of its memory.
LEFT = (Condition.BROKEN, Condition.SHUTOFF, Condition.MIGRATED)


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
    kept = record.load(uuid, record.LOST)
    if kept is None:
        return False
    context = kept.context()
    try:
        instance = objects.Instance.get_by_uuid(
            context, uuid, expected_attrs=['info_cache', 'flavor'])
    except exception.InstanceNotFound:
        # Upstream cleans up after deleted servers ([DEFAULT]
        # running_deleted_instance_action).
        return False
    if instance.host == manager.host:
        # The server is back: what is here is the server itself.
        return False
    # RUNNING on the destination only after the server was started again.
    there = rpcapi.PostCopyComputeAPI().guest_condition(
        context, instance.host, instance)
    # The answer may have taken a while: check last that the server is not on
    # its way back.
    instance.refresh()
    found = manager.driver.post_copy_condition(instance)
    if found is Condition.ABSENT:
        return False
    if (there is not Condition.RUNNING or found not in LEFT or
            instance.task_state is not None):
        return True
    LOG.info('The server runs on %s: removing what its failed migration left '
             'on this host, except disks', instance.host, instance=instance)
    manager.driver.destroy(
        context, instance, instance.get_network_info(),
        manager._get_instance_block_device_info(
            context, instance, bdms=kept.source_bdms),
        destroy_disks=False)
    return False
