# SPDX-License-Identifier: Apache-2.0

"""Repeat to the host of a server what its devices have missed on the way.

neutron and Cinder report a deleted port and an extended volume to the host
that Nova's record names. During a migration nothing can be changed there: the
guest is busy, or has left. So after the migration its ports and volumes are
compared with what they were at the start, and the event is repeated, to the
host where the server is. Everything else that changes devices Nova refuses
while a server migrates.
"""

from collections.abc import Iterator

from oslo_log import log as logging

from nova.compute import manager as upstream
from nova import context as nova_context
from nova import objects

from nova_post_copy.compute import record
from nova_post_copy.compute import volume_connections

LOG = logging.getLogger(__name__)

_PORT_DELETED = 'network-vif-deleted'
_VOLUME_EXTENDED = 'volume-extended'


def settle(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           instance: objects.Instance, kept: record.Record) -> None:
    """Repeat the events of devices; that does no harm.

    :raises Exception: neutron or Cinder does not answer
    """
    events = [
        objects.InstanceExternalEvent(
            instance_uuid=instance.uuid, name=name, tag=tag,
            status='completed')
        for name, tags in (
            (_PORT_DELETED, _deleted_ports(manager, context, instance, kept)),
            (_VOLUME_EXTENDED, _extended(manager, context, kept)))
        for tag in tags]
    if not events:
        return
    LOG.info('Repeating on %(host)s what has happened to devices of the '
             'server during its live migration: %(events)s',
             {'host': instance.host,
              'events': ', '.join(event.key for event in events)},
             instance=instance)
    if instance.host == manager.host:
        manager.external_instance_event(context, [instance], events)
    else:
        manager.compute_rpcapi.external_instance_event(
            context, [instance], events, instance.host)


def _deleted_ports(manager: upstream.ComputeManager,
                   context: nova_context.RequestContext,
                   instance: objects.Instance,
                   kept: record.Record) -> list[str]:
    """Return the ports that neutron does not have any more.

    Whoever handles the event looks a port up in the cache of the instance,
    from which it may have gone: it is put back there.
    """
    if 'vifs' not in kept.migrate_data or not kept.migrate_data.vifs:
        return []
    cached = instance.info_cache.network_info
    deleted = []
    for vif in kept.migrate_data.vifs:
        if manager.network_api.list_ports(
                context, id=vif.port_id, fields=['id'])['ports']:
            continue
        deleted.append(vif.port_id)
        if vif.port_id not in {each['id'] for each in cached}:
            cached.append(vif.source_vif if instance.host == manager.host
                          else vif.get_dest_vif())
    return deleted


def _extended(manager: upstream.ComputeManager,
              context: nova_context.RequestContext,
              kept: record.Record) -> Iterator[str]:
    """Return the volumes that are larger than they were at the start."""
    for bdm in volume_connections.volumes(
            volume_connections.source_bdms(manager, context, kept)):
        volume = manager.volume_api.get(context, bdm.volume_id)
        if bdm.volume_size and volume['size'] > bdm.volume_size:
            yield bdm.volume_id
