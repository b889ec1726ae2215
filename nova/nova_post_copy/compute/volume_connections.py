# SPDX-License-Identifier: Apache-2.0

"""Tell which connection of a volume is that of which host.

During a migration a server has two attachments for each volume, and its block
device mapping names one of them. The durable record of the source knows which
is whose; one that was rebuilt asks Cinder.
"""

from collections.abc import Iterable

from cinderclient import exceptions as cinder_exception
from oslo_log import log as logging
from oslo_serialization import jsonutils

from nova.compute import manager as upstream
from nova import context as nova_context
from nova import objects
from nova.objects.block_device import BlockDeviceMapping as Bdm
from nova.objects.block_device import BlockDeviceMappingList as Bdms
from nova.volume import cinder

from nova_post_copy.compute import record
from nova_post_copy.objects.migration import BETWEEN_HOSTS
from nova_post_copy.objects.migration import FINAL

LOG = logging.getLogger(__name__)


def source_bdms(manager: upstream.ComputeManager,
                context: nova_context.RequestContext,
                kept: record.Record) -> Bdms:
    """Return the block device mappings as they were on the source.

    A record that was rebuilt does not know them. They are found before
    anything is changed, and written into the record: once Cinder or the
    database has changed, it could not be seen any more which is which.

    :raises Exception: Cinder does not answer
    """
    if kept.source_bdms is not None:
        return kept.source_bdms
    migration = objects.Migration.get_by_id(context, kept.migration_id)
    prepared = migration.status in (*BETWEEN_HOSTS, *FINAL)
    found = Bdms(context, objects=[])
    for bdm in volumes(Bdms.get_by_instance_uuid(
            context, kept.instance_uuid)):
        attachment = of_source(bdm.attachment_id, attached(context, bdm),
                               manager.host, prepared)
        if attachment is None:
            LOG.warning('The connection of volume %s to this host is not '
                        'known and not touched', bdm.volume_id,
                        instance_uuid=kept.instance_uuid)
        else:
            found.objects.append(
                bdm if attachment == bdm.attachment_id else
                with_connection(context, manager.volume_api, bdm, attachment))
    record.update(kept.instance_uuid, source_bdms=found)
    return found


def of_source(recorded: str | None, attached: dict[str, str | None],
              source: str, prepared: bool) -> str | None:
    """Return the attachment of the source; None if that cannot be told.

    :param recorded: that in the block device mapping
    :param attached: the host of each attachment of the server to the volume;
        None where Cinder does not say it
    :param prepared: the destination has prepared the volume; then that in
        the mapping is the destination's
    """
    if any(attached.values()):
        named = [each for each, host in attached.items() if host == source]
        return named[0] if len(named) == 1 else None
    others = list(set(attached) - {recorded})
    if others:
        # The mapping has the destination's as soon as there are two.
        return others[0] if len(others) == 1 else None
    return recorded if attached and not prepared else None


def on_destination(bdms: Iterable[Bdm], at_source: Bdms) -> list[Bdm]:
    """Return the mappings whose connection is the destination's."""
    before = {bdm.volume_id: bdm for bdm in volumes(at_source)}
    return [bdm for bdm in volumes(bdms)
            if bdm.volume_id in before
            and _differs(bdm, before[bdm.volume_id])]


def dest_bdms(manager: upstream.ComputeManager,
              context: nova_context.RequestContext,
              kept: record.Record) -> Bdms | None:
    """Return the mappings as they were on a destination that is given up.

    A record that was rebuilt after the rollback does not know them. The
    mappings have the source's connections again by then, so what else a server
    has in Cinder is the destination's.

    :returns: None: there was no rollback
    :raises Exception: Cinder does not answer
    """
    if (kept.dest_bdms is not None or
            kept.outcome != record.Outcome.ROLLED_BACK):
        return kept.dest_bdms
    # Also those of a server that was deleted meanwhile.
    mapped = volumes(Bdms.get_by_instance_uuid(
        context.elevated(read_deleted='yes'), kept.instance_uuid))
    ours = {bdm.attachment_id for bdm in mapped}
    found = {
        attachment: with_connection(
            context, manager.volume_api, bdm, attachment)
        for bdm in mapped
        for attachment, host in attached(context, bdm).items()
        if attachment not in ours and host in (None, kept.dest)}
    bdms = Bdms(context, objects=list(found.values()))
    record.update(kept.instance_uuid, dest_bdms=bdms)
    return bdms


def volumes(bdms: Iterable[Bdm]) -> list[Bdm]:
    """Return the mappings of volumes."""
    return [bdm for bdm in bdms if bdm.is_volume]


def in_use(context: nova_context.RequestContext,
           instance_uuid: str) -> set[str]:
    """Return the attachments that the mappings of a server have."""
    return {bdm.attachment_id for bdm in volumes(Bdms.get_by_instance_uuid(
        context.elevated(read_deleted='no'), instance_uuid))
        if bdm.attachment_id is not None}


def _differs(bdm: Bdm, at_source: Bdm) -> bool:
    if bdm.attachment_id is None:
        return bdm.connection_info != at_source.connection_info
    return bdm.attachment_id != at_source.attachment_id


def attached(context: nova_context.RequestContext,
             bdm: Bdm) -> dict[str, str | None]:
    """Ask Cinder for the attachments of a server to a volume.

    Nova's own method has only one attachment for each server, and Cinder's
    list of attachments only those of the project that asks.

    :returns: the host of each; None where Cinder does not name it
    :raises Exception: Cinder does not answer, or refuses
    """
    try:
        volume = cinder.cinderclient(
            context, '3.44', skip_version_check=True
        ).volumes.get(bdm.volume_id)
    except cinder_exception.NotFound:
        return {}
    return {attachment['attachment_id']: attachment.get('host_name')
            for attachment in volume.attachments
            if attachment['server_id'] == bdm.instance_uuid}


def with_connection(context: nova_context.RequestContext,
                    volume_api: cinder.API, bdm: Bdm, attachment: str) -> Bdm:
    """Return a copy of a mapping with the connection of an attachment.

    That of the mapping, if it is the same one: the virt driver has noted there
    what it needs to end it. None, if no host was ever told one.

    :raises VolumeAttachmentNotFound: Cinder has no such attachment
    """
    connection = volume_api.attachment_get(
        context, attachment)['connection_info']
    bdm = bdm.obj_clone()
    bdm.attachment_id = attachment
    mapped = jsonutils.loads(bdm.connection_info or '{}').get('data', {})
    if not connection.get('data'):
        bdm.connection_info = None
    elif any(mapped.get(name) != value
             for name, value in connection['data'].items()):
        connection.setdefault('serial', bdm.volume_id)
        bdm.connection_info = jsonutils.dumps(connection)
    return bdm
