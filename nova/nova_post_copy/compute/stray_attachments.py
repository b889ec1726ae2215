# SPDX-License-Identifier: Apache-2.0

"""Find the volume attachments that a host which does not come back has left.

Only the source of a migration remembers which connection is whose. When an
operator has given it up, Cinder is asked (:mod:`.volume_connections`), which
names the host of each attachment. One whose host is not named is not touched,
and neither is one that a block device mapping of the server has. Each function
may be called again until Cinder agrees.
"""

from collections.abc import Container

from oslo_log import log as logging

from nova import context as nova_context
from nova.objects.block_device import BlockDeviceMapping as Bdm
from nova.objects.block_device import BlockDeviceMappingList as Bdms
from nova.volume import cinder

from nova_post_copy.compute import volume_connections
from nova_post_copy import exception

LOG = logging.getLogger(__name__)


def mapped(context: nova_context.RequestContext,
           instance_uuid: str) -> list[Bdm]:
    """Return the mappings of volumes that Nova has attached by attachments.

    :param context: one that reads what is deleted has also those of a server
        that was deleted, and of volumes that were detached
    """
    return [bdm for bdm in volume_connections.volumes(
        Bdms.get_by_instance_uuid(context, instance_uuid))
        if bdm.attachment_id is not None]


def own(bdm: Bdm, attached: dict[str, str | None], host: str) -> str:
    """Return the only attachment of a volume that is named for a host.

    :raises PostCopyHostNotNamed: there is not exactly one
    """
    named = [each for each, its_host in attached.items() if its_host == host]
    if len(named) != 1:
        raise exception.PostCopyHostNotNamed(
            volume_id=bdm.volume_id, host=host)
    return named[0]


def strays(bdm: Bdm, attached: dict[str, str | None], host: str,
           in_use: Container[str]) -> list[str]:
    """Return the attachments of a volume that are left from a host.

    :param in_use: the attachments that the server needs
    :raises PostCopyHostNotNamed: there is one whose host is not known
    """
    unused = {each: its_host for each, its_host in attached.items()
              if each not in in_use}
    if None in unused.values():
        raise exception.PostCopyHostNotNamed(
            volume_id=bdm.volume_id, host=host)
    return [each for each, its_host in unused.items() if its_host == host]


def delete(context: nova_context.RequestContext, volume_api: cinder.API,
           instance_uuid: str, attachment: str) -> None:
    """Delete an attachment; one that is gone is no error.

    :raises Exception: Cinder does not answer, or refuses
    """
    LOG.info('Deleting attachment %s of a volume to a host that was given up',
             attachment, instance_uuid=instance_uuid)
    volume_api.attachment_delete(context, attachment)


def release(context: nova_context.RequestContext, volume_api: cinder.API,
            instance_uuid: str, host: str) -> None:
    """Delete what is left from a host, of each volume of a server.

    :param context: as for :func:`mapped`
    :raises Exception: Cinder does not answer, refuses, or does not name hosts;
        what could be deleted is deleted
    """
    errors = []
    for bdm in mapped(context, instance_uuid):
        try:
            # The mappings after Cinder: one that is new to them is in use.
            attached = volume_connections.attached(context, bdm)
            for attachment in strays(
                    bdm, attached, host,
                    volume_connections.in_use(context, instance_uuid)):
                delete(context, volume_api, instance_uuid, attachment)
        except Exception as exc:
            errors.append(exc)
    if errors:
        raise errors[0]
