# SPDX-License-Identifier: Apache-2.0

"""Watch, on the destination, for sources that died in post-copy.

A guest on this host waits for memory that only its source has. When the
nova-compute of the source is down, only the destination can tell the user, and
end the migration once an operator has given up the source.
"""

from nova.compute import manager as upstream
from nova.compute import task_states
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects
from nova import servicegroup

from nova_post_copy.compute import reconcile
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.objects.migration import unfinished


def report(manager: upstream.ComputeManager,
           context: nova_context.RequestContext) -> None:
    """Report each dead source whose memory a guest on this host needs."""
    for uuid in manager.driver.post_copy_broken_guests():
        try:
            instance = objects.Instance.get_by_uuid(
                context, uuid, expected_attrs=reconcile.ATTRIBUTES)
        except nova_exception.InstanceNotFound:
            continue
        if instance.host == manager.host:
            continue
        service = objects.Service.get_by_compute_host(context, instance.host)
        if servicegroup.API().service_is_up(service):
            continue
        fault = exception.PostCopySourceSilent(
            host=instance.host, dest=manager.host)
        if instance.task_state != task_states.MIGRATING:
            _give_up_source(manager, context, instance)
        elif instance.vm_state != vm_states.ERROR:
            instance.vm_state = vm_states.ERROR
            instance.save()
            instance_fault.add(context, instance, fault)


def _give_up_source(manager: upstream.ComputeManager,
                    context: nova_context.RequestContext,
                    instance: objects.Instance) -> None:
    """End the migration of a server whose state an operator has reset.

    The reset says that the source does not come back.
    """
    migration = unfinished(context, instance.uuid, source=instance.host)
    if migration is not None:
        reconcile.move_lost(
            manager, context, instance, migration, exception.PostCopyLost(
                host=instance.host, dest=manager.host,
                reason=_('an operator has given up the source')))
