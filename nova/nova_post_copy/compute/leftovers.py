# SPDX-License-Identifier: Apache-2.0

"""What a lost server has left on the source of its migration.

The old half of its memory, in a QEMU that stands still, or the definition of
a domain whose QEMU has died. Nobody can go on with either, but while the half
on the destination is alive, this is for an operator to say. It takes memory
that Nova does not count, and a second copy could be started from it: it is
removed as soon as the server runs without it.

Disks are never touched: that is left to an operator as well.
"""

from oslo_log import log as logging

from nova.compute import manager as upstream
from nova import exception
from nova import objects

from nova_post_copy.compute import record
from nova_post_copy.compute import rpcapi
from nova_post_copy.decisions.condition import Condition

LOG = logging.getLogger(__name__)

# What a source says of a guest that has left it, but not as a whole.
LEFT = (Condition.BROKEN, Condition.SHUTOFF, Condition.MIGRATED)


def remove_unneeded(manager: upstream.ComputeManager) -> None:
    """Look at each remnant on this host, and remove what nobody needs."""
    for uuid in record.all_instances(record.LOST):
        try:
            needed = _may_be_needed(manager, uuid)
        except Exception as exc:
            LOG.warning('What a lost server has left on this host is not '
                        'removed yet: %s', exc, instance_uuid=uuid)
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
        # Upstream finds what is left of a server that was deleted
        # ([DEFAULT] running_deleted_instance_action).
        return False
    if instance.host == manager.host:
        # It came back; what is here is the server itself.
        return False
    # On the destination it lacks memory, until it is started anew.
    there = rpcapi.PostCopyComputeAPI().guest_condition(
        context, instance.host, instance)
    # That may have taken a while. Last of all look whether it may be on its
    # way back.
    instance.refresh()
    found = manager.driver.post_copy_condition(instance)
    if found is Condition.ABSENT:
        return False
    if (there is not Condition.RUNNING or found not in LEFT or
            instance.task_state is not None):
        return True
    LOG.info('The server runs on %s: what its lost migration has left here is '
             'removed, but for its disks', instance.host, instance=instance)
    manager.driver.destroy(
        context, instance, instance.get_network_info(),
        manager._get_instance_block_device_info(
            context, instance, bdms=kept.source_bdms),
        destroy_disks=False)
    return False
