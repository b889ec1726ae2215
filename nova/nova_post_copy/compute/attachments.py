# SPDX-License-Identifier: Apache-2.0

"""Let the volume attachments of a server follow its guest.

Each host of a migration has an attachment of its own in Cinder, with
connection info of its own: a LUN number of one host may be the volume of
another server on the other. Upstream deletes one of the two at the end, and
takes a Cinder that fails for one that has done it. Here an error is an error,
and what is not known is not touched. Each function may be called again until
Cinder agrees.
"""

from collections.abc import Iterable
from collections.abc import Iterator
import contextlib

from cinderclient import exceptions as cinder_exception
from oslo_log import log as logging
from oslo_serialization import jsonutils

from nova.compute import manager as upstream
from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects
from nova.objects.block_device import BlockDeviceMapping as Bdm
from nova.objects.block_device import BlockDeviceMappingList as Bdms
from nova.volume import cinder

from nova_post_copy.compute import record
from nova_post_copy.compute import rpcapi
from nova_post_copy import exception
from nova_post_copy.objects.migration import BETWEEN_HOSTS
from nova_post_copy.objects.migration import FINAL

LOG = logging.getLogger(__name__)


# Which connection is whose

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
        attachment = of_source(bdm.attachment_id, _attached(context, bdm),
                               manager.host, prepared)
        if attachment is None:
            LOG.warning('The connection of volume %s to this host is not '
                        'known and not touched', bdm.volume_id,
                        instance_uuid=kept.instance_uuid)
        else:
            found.objects.append(_with(manager, context, bdm, attachment))
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
        attachment: _with(manager, context, bdm, attachment)
        for bdm in mapped
        for attachment, host in _attached(context, bdm).items()
        if attachment not in ours and host in (None, kept.dest)}
    bdms = Bdms(context, objects=list(found.values()))
    record.update(kept.instance_uuid, dest_bdms=bdms)
    return bdms


def volumes(bdms: Iterable[Bdm]) -> list[Bdm]:
    """Return the mappings of volumes."""
    return [bdm for bdm in bdms if bdm.is_volume]


def _differs(bdm: Bdm, at_source: Bdm) -> bool:
    if bdm.attachment_id is None:
        return bdm.connection_info != at_source.connection_info
    return bdm.attachment_id != at_source.attachment_id


def _attached(context: nova_context.RequestContext,
              bdm: Bdm) -> dict[str, str | None]:
    """Return the hosts of the attachments of an instance to a volume.

    Nova's own method has only one attachment for each server, and Cinder's
    list of attachments only those of the project that asks.
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


def _with(manager: upstream.ComputeManager,
          context: nova_context.RequestContext, bdm: Bdm,
          attachment: str) -> Bdm:
    """Return a copy of a mapping with the connection of an attachment."""
    bdm = bdm.obj_clone()
    if bdm.attachment_id != attachment:
        connection = manager.volume_api.attachment_get(
            context, attachment)['connection_info']
        connection.setdefault('serial', bdm.volume_id)
        bdm.attachment_id = attachment
        bdm.connection_info = jsonutils.dumps(connection)
    return bdm


# After the migration

def settle(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           instance: objects.Instance, kept: record.Record) -> None:
    """Leave the attachments of the host where an instance is.

    :raises Exception: Cinder does not answer, or refuses
    """
    if instance.host == manager.host:
        _release_destination(manager, context, instance, kept)
    elif not kept.released:
        release_source(manager, context, instance, kept)


def release(manager: upstream.ComputeManager,
            context: nova_context.RequestContext,
            instance: objects.Instance, kept: record.Record) -> None:
    """Leave none of an instance that is deleted.

    :raises Exception: Cinder does not answer, or refuses
    """
    _release_destination(manager, context, instance, kept)
    release_source(manager, context, instance, kept)


@contextlib.contextmanager
def refusal_explained() -> Iterator[None]:
    """Say what to configure when Cinder refuses nova-compute itself.

    :raises PostCopyCinderRefused: it does
    """
    try:
        yield
    except (cinder_exception.Unauthorized, cinder_exception.Forbidden,
            nova_exception.Unauthorized, nova_exception.Forbidden) as exc:
        raise exception.PostCopyCinderRefused(reason=exc) from exc


def restore(instance: objects.Instance, bdms: Iterable[Bdm], at_source: Bdms,
            kept: record.Record) -> None:
    """Let mappings that have the destination's connection have the source's.

    Not before Cinder has deleted the other, as upstream does: a server that is
    started again with the LUN of another host may be given the volume of
    another server. ``settle`` takes back what is written into the record here.
    """
    before = {bdm.volume_id: bdm for bdm in volumes(at_source)}
    prepared = on_destination(bdms, at_source)
    known = {bdm.volume_id: bdm for bdm in kept.dest_bdms or ()} | {
        bdm.volume_id: bdm.obj_clone() for bdm in prepared
        if bdm.attachment_id is not None}
    record.update(instance.uuid,
                  dest_bdms=Bdms(objects=list(known.values())))
    for bdm in prepared:
        bdm.attachment_id = before[bdm.volume_id].attachment_id
        bdm.connection_info = before[bdm.volume_id].connection_info
        bdm.save()


def _release_destination(manager: upstream.ComputeManager,
                         context: nova_context.RequestContext,
                         instance: objects.Instance,
                         kept: record.Record) -> None:
    """Disconnect the destination, then delete its attachments.

    In this order: a LUN that Cinder has taken back may be given to another
    server while the destination still takes it for this one's.
    """
    bdms = dest_bdms(manager, context, kept)
    if bdms is None:
        return
    if not kept.disconnected:
        rpcapi.PostCopyComputeAPI().remove_volume_connections(
            context, kept.dest, instance, bdms)
        record.update(instance.uuid, disconnected=True)
    _delete_unused(manager, context, instance, [
        bdm.attachment_id for bdm in bdms])


def release_source(manager: upstream.ComputeManager,
                   context: nova_context.RequestContext,
                   instance: objects.Instance, kept: record.Record) -> None:
    """Delete the source's, unless an instance uses them."""
    _delete_unused(manager, context, instance, [
        bdm.attachment_id
        for bdm in volumes(source_bdms(manager, context, kept))
        if bdm.attachment_id is not None])


def _delete_unused(manager: upstream.ComputeManager,
                   context: nova_context.RequestContext,
                   instance: objects.Instance,
                   attachments: Iterable[str]) -> None:
    """Delete attachments that no mapping of an instance has."""
    in_use = {bdm.attachment_id for bdm in volumes(
        Bdms.get_by_instance_uuid(context, instance.uuid))}
    for attachment in attachments:
        if attachment in in_use:
            continue
        LOG.info('Deleting attachment %s of a volume to the host where the '
                 'server is not', attachment, instance=instance)
        # One that is gone is no error.
        manager.volume_api.attachment_delete(context, attachment)
