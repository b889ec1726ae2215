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

from nova.compute import manager as upstream
from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects
from nova.objects.block_device import BlockDeviceMapping as Bdm
from nova.objects.block_device import BlockDeviceMappingList as Bdms

from nova_post_copy.compute import record
from nova_post_copy.compute import rpcapi
from nova_post_copy.compute import volume_connections as whose
from nova_post_copy import exception
from nova_post_copy.objects import service

LOG = logging.getLogger(__name__)


def settle(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           instance: objects.Instance, kept: record.Record) -> None:
    """Leave only the attachments of the host where the guest has ended up.

    Whatever has happened to the server since: no attachment is deleted that a
    mapping has.

    :raises Exception: Cinder does not answer, or refuses
    """
    if kept.outcome == record.Outcome.ROLLED_BACK:
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
            kept: record.Record) -> record.Record:
    """Let mappings that have the destination's connection have the source's.

    Not before Cinder has deleted the other, as upstream does: a server that is
    started again with the LUN of another host may be given the volume of
    another server. ``settle`` takes back what is written into the record here.

    :returns: the record as it is then
    """
    before = {bdm.volume_id: bdm for bdm in whose.volumes(at_source)}
    # A volume that was attached anew since has a mapping of its own.
    bdms = [bdm for bdm in whose.volumes(bdms) if bdm.volume_id in before and
            bdm.id == before[bdm.volume_id].id]
    prepared = whose.on_destination(bdms, at_source)
    known = {bdm.volume_id: bdm for bdm in kept.dest_bdms or ()} | {
        bdm.volume_id: bdm.obj_clone() for bdm in prepared
        if bdm.attachment_id is not None}
    kept = record.update(
        instance.uuid, dest_bdms=Bdms(objects=list(known.values())),
        disconnected=kept.disconnected and not prepared)
    for bdm in bdms:
        bdm.attachment_id = before[bdm.volume_id].attachment_id
        bdm.connection_info = before[bdm.volume_id].connection_info
        bdm.save()
    return kept


def _release_destination(manager: upstream.ComputeManager,
                         context: nova_context.RequestContext,
                         instance: objects.Instance,
                         kept: record.Record) -> None:
    """Disconnect the destination, then delete its attachments.

    In this order: a LUN that Cinder has taken back may be given to another
    server while the destination still takes it for this one's.
    """
    bdms = whose.dest_bdms(manager, context, kept)
    if bdms is None:
        return
    kept = kept._replace(dest_bdms=bdms)
    while not kept.disconnected and _may_be_connected(
            context, instance, kept):
        _disconnect(manager, context, instance, kept)
        kept = record.update(instance.uuid, disconnected=True)
        # It answers when it prepares nothing any more; what it had prepared
        # in the meantime may have changed the mappings again.
        kept = restore(instance, Bdms.get_by_instance_uuid(
            context, instance.uuid), kept.source_bdms or [], kept)
    _delete_unused(manager, context, instance, [
        bdm.attachment_id for bdm in kept.dest_bdms or ()])


def _may_be_connected(context: nova_context.RequestContext,
                      instance: objects.Instance,
                      kept: record.Record) -> bool:
    """Tell whether the destination may have connected a volume.

    One that is down and had prepared nothing prepares nothing any more. And
    where the server is by now, its volumes are in use.
    """
    if instance.host == kept.dest or not (
            kept.dest_bdms or whose.volumes(kept.source_bdms or [])):
        return False
    return bool(kept.dest_bdms) or service.compute_is_up(context, kept.dest)


def _disconnect(manager: upstream.ComputeManager,
                context: nova_context.RequestContext,
                instance: objects.Instance, kept: record.Record) -> None:
    """Let the destination disconnect what it was to connect.

    Which LUN that was, Cinder knows: until the destination has connected a
    volume, its mapping has the new attachment with the old connection.
    """
    connected = Bdms(context)
    for bdm in kept.dest_bdms or ():
        try:
            bdm = whose.with_connection(
                context, manager.volume_api, bdm, bdm.attachment_id)
        except nova_exception.VolumeAttachmentNotFound:
            LOG.warning('Attachment %s of a volume is gone, and how %s was '
                        'connected to it is not known', bdm.attachment_id,
                        kept.dest, instance=instance)
            continue
        if bdm.connection_info is not None:
            connected.objects.append(bdm)
    rpcapi.PostCopyComputeAPI().remove_volume_connections(
        context, kept.dest, instance, connected)


def release_source(manager: upstream.ComputeManager,
                   context: nova_context.RequestContext,
                   instance: objects.Instance, kept: record.Record) -> None:
    """Delete the source's, unless an instance uses them."""
    _delete_unused(manager, context, instance, [
        bdm.attachment_id
        for bdm in whose.volumes(whose.source_bdms(manager, context, kept))
        if bdm.attachment_id is not None])


def _delete_unused(manager: upstream.ComputeManager,
                   context: nova_context.RequestContext,
                   instance: objects.Instance,
                   attachments: Iterable[str]) -> None:
    """Delete attachments that no mapping of an instance has."""
    in_use = whose.in_use(context, instance.uuid)
    for attachment in attachments:
        if attachment in in_use:
            continue
        LOG.info('Deleting attachment %s of a volume to the host where the '
                 'server is not', attachment, instance=instance)
        # One that is gone is no error.
        manager.volume_api.attachment_delete(context, attachment)
