# SPDX-License-Identifier: Apache-2.0

"""Record in Nova what remains of a server whose migration is given up.

The decision is one transaction of the cell's database. Everything else,
allocations and port bindings, follows from there and may be repeated.
"""

# nova.objects has its classes only after they have been registered.
from __future__ import annotations

from nova.compute import vm_states
import nova.conf
from nova import context as nova_context
from nova.db.main import api as main_db_api
from nova.i18n import _
from nova.network import neutron
from nova import objects
from nova.objects import fields
from nova.scheduler.client import report

from nova_post_copy.cmd import limit
from nova_post_copy.cmd.unfinished import Refused
from nova_post_copy.cmd.unfinished import Unfinished
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions.giving_up import Outcome
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy import notifications
from nova_post_copy.objects.migration import Status

CONF = nova.conf.CONF

# Of a guest that has arrived. Otherwise it runs, or is to.
_VM_STATES: dict[Condition | None, str] = {
    Condition.PAUSED: vm_states.PAUSED,
    Condition.SHUTTING_DOWN: vm_states.STOPPED,
    Condition.POWERED_OFF: vm_states.STOPPED,
}


def record(found: Unfinished, outcome: Outcome,
           destination: Condition | None,
           fault: exception.PostCopyFault | None) -> None:
    """Write the decision into the database, as a whole or not at all.

    :param destination: the condition of a guest that has arrived
    :param fault: of a server that is lost
    :raises Refused: the migration has changed in the meantime
    """
    _write(found.context, found, outcome, destination)
    if fault is not None:
        instance_fault.add(found.context, found.instance, fault)


# The argument of this name is where the decorator looks for the database.
@main_db_api.pick_context_manager_writer
def _write(context: nova_context.RequestContext, found: Unfinished,
           outcome: Outcome, destination: Condition | None) -> None:
    migration, instance = found.migration, found.instance
    now = objects.Migration.get_by_id(context, migration.id).status
    if now != migration.status:
        raise Refused(_(
            'The status of live migration %(id)s has just changed from '
            '"%(before)s" to "%(now)s".') % {
                'id': migration.id, 'before': migration.status, 'now': now})
    if outcome is not Outcome.STAYS:
        node = _node(context, migration)
        instance.apply_migration_context()
        instance.host = node.host
        instance.node = node.hypervisor_hostname
        instance.compute_id = node.id
    instance.drop_migration_context()
    if outcome is Outcome.LOST:
        instance.vm_state = vm_states.ERROR
    elif outcome is Outcome.ARRIVED:
        instance.vm_state = _VM_STATES.get(destination, vm_states.ACTIVE)
    instance.task_state = None
    instance.progress = 0
    instance.save()
    migration.status = (Status.COMPLETED if outcome is Outcome.ARRIVED
                        else Status.ERROR)
    migration.save()


def _node(context: nova_context.RequestContext,
          migration: objects.Migration) -> objects.ComputeNode:
    return objects.ComputeNode.get_by_host_and_nodename(
        context, migration.dest_compute, migration.dest_node)


def notify(found: Unfinished, fault: exception.PostCopyFault) -> None:
    """Emit the notification of a loss, as nova-compute would."""
    limit.within_limit(lambda: notifications.notify(
        found.context, found.instance, CONF.host,
        fields.NotificationPhase.ERROR, fault))


def release_allocations(found: Unfinished) -> None:
    """Leave the server the allocations of the host where it is recorded.

    :raises Exception: placement cannot be reached, or refuses
    """
    placement = report.report_client_singleton()
    context, migration, instance = found
    # During a migration, the allocation of the source is the migration's.
    if instance.host == migration.source_compute:
        placement.move_allocations(context, migration.uuid, instance.uuid)
    else:
        placement.delete_allocation_for_instance(
            context, migration.uuid, consumer_type='migration', force=True)


def bind_ports(found: Unfinished) -> None:
    """Leave the ports the bindings of the host where the server is recorded.

    :raises Exception: neutron cannot be reached, or refuses
    """
    network = neutron.API()
    context, migration, instance = found
    other = migration.dest_compute
    if instance.host == migration.dest_compute:
        other = migration.source_compute
        network.migrate_instance_start(context, instance, migration)
    network.setup_networks_on_host(
        context, instance, host=other, teardown=True)
