# SPDX-License-Identifier: Apache-2.0

"""Record a server whose memory was lost on the host of its newest disk."""

from nova.compute import manager as upstream
from nova.compute import vm_states
from nova import context as nova_context
from nova import objects

from nova_post_copy.compute import bindings
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.objects.migration import Status


def move_lost(manager: upstream.ComputeManager,
              context: nova_context.RequestContext,
              instance: objects.Instance, migration: objects.Migration,
              fault: exception.PostCopyFault) -> None:
    """Record on the destination an instance whose memory was lost.

    Its newest disk is there, from which an operator can start it. Nothing is
    cleaned up on either host. Who has given the migration up has recorded it
    there already, and may since have started it there, or evacuated it: then
    it is not touched.
    """
    instance.refresh()
    if instance.host == migration.source_compute:
        bindings.activate(manager, context, instance, migration.dest_compute)
        instance.refresh()
    if instance.host == migration.source_compute:
        node = manager._get_compute_info(context, migration.dest_compute)
        instance.apply_migration_context()
        instance.drop_migration_context()
        instance.host = migration.dest_compute
        instance.node = node.hypervisor_hostname
        instance.compute_id = node.id
        instance.vm_state = vm_states.ERROR
        instance.task_state = None
        instance.progress = 0
        instance.save()
        instance_fault.add(context, instance, fault)
    migration.status = Status.ERROR
    migration.save()
    manager._delete_allocation_after_move(context, instance, migration)
