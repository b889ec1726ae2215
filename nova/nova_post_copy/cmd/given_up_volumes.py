# SPDX-License-Identifier: Apache-2.0

"""Leave a server whose migration is given up the attachments of its host.

What cannot be done is left, and said with what to type: a LUN of a host that
may still have it open is not given back, and what Cinder does not name is not
touched.
"""

# nova.objects has its classes only after they have been registered.
from __future__ import annotations

from collections.abc import Iterator
import contextlib
import functools

from nova.i18n import _
from nova.objects.block_device import BlockDeviceMapping as Bdm
from nova.objects.block_device import BlockDeviceMappingList as Bdms
from nova.volume import cinder

from nova_post_copy.cmd import limit
from nova_post_copy.cmd.unfinished import Unfinished
from nova_post_copy.compute import attachments
from nova_post_copy.compute import rpcapi
from nova_post_copy.compute import stray_attachments
from nova_post_copy.compute import volume_connections
from nova_post_copy.decisions.giving_up import Situation
from nova_post_copy import exception


class Left(Exception):
    """Attachments are left."""

    def __init__(self, causes: list[Exception], by_hand: list[str]) -> None:
        """Say why.

        :param causes: of each volume for which something has failed
        :param by_hand: what to do about it, in sentences
        """
        super().__init__(causes, by_hand)
        self.causes = causes
        self.by_hand = by_hand


def release(situation: Situation, found: Unfinished) -> None:
    """Leave the attachments of the host where the server is recorded.

    Of a server on the source the mappings, too: they have the connections of
    the destination since it was prepared, and the source would take the LUN of
    another server for this one's.

    :raises Left: something is left to do by hand
    """
    step = _Step(situation, found)
    if found.instance.host == situation.source:
        step.bring_back()
    else:
        step.leave_behind()
    if step.causes:
        raise Left(step.causes, list(dict.fromkeys(step.by_hand)))


class _Step:
    """What was done with the volumes of one server, and what was not."""

    def __init__(self, situation: Situation, found: Unfinished) -> None:
        self._situation = situation
        self._found = found
        self._context, self._uuid = found.context, found.instance.uuid
        self._cinder = cinder.API()
        self.causes: list[Exception] = []
        self.by_hand: list[str] = []

    def leave_behind(self) -> None:
        """Delete the attachments that are left from the source."""
        source = self._situation.source
        for bdm in stray_attachments.mapped(self._context, self._uuid):
            with self._noted(_delete_unused(bdm)):
                self._delete(stray_attachments.strays(
                    bdm, self._hosts(bdm), source,
                    volume_connections.in_use(self._context, self._uuid)))

    def bring_back(self) -> None:
        """Put the mappings back, and release the destination.

        It disconnects first: a LUN that Cinder has taken back may be given to
        another server while the destination still takes it for this one's.
        """
        dest = self._situation.destination
        prepared: list[Bdm] = []
        for bdm in stray_attachments.mapped(self._context, self._uuid):
            with self._noted(_(
                    'let the server be evacuated, and not started on '
                    '%(source)s; then %(command)s') % {
                        'source': self._situation.source,
                        'command': _delete_unused(bdm)}):
                prepared += self._put_back(bdm)
        if not prepared:
            return
        ids = [bdm.attachment_id for bdm in prepared]
        with self._noted(_(
                'once %(host)s does not have the volumes of the server open '
                'any more, such as after it was restarted, %(command)s') % {
                    'host': dest, 'command': _delete_command(*ids)}):
            self._disconnect(prepared)
            self._delete(ids)

    def _put_back(self, bdm: Bdm) -> list[Bdm]:
        """Let a mapping have the source's connection.

        :returns: the mapping with each that is left from the destination
        """
        attached = self._hosts(bdm)
        own = stray_attachments.own(bdm, attached, self._situation.source)
        prepared = [self._connected(bdm, each) for each
                    in stray_attachments.strays(
                        bdm, attached, self._situation.destination, {own})]
        if bdm.attachment_id != own:
            self._connected(bdm, own).save()
        return prepared

    def _disconnect(self, prepared: list[Bdm]) -> None:
        dest = self._situation.destination
        if self._situation.destination_is_up:
            limit.call(
                lambda: rpcapi.PostCopyComputeAPI().remove_volume_connections(
                    self._context, dest, self._found.instance,
                    Bdms(self._context, objects=[
                        bdm for bdm in prepared
                        if bdm.connection_info is not None])),
                limit.DONE_WITHIN_S)
        elif dest not in self._situation.given_up:
            raise ConnectionError(_(
                'nova-compute on %s does not disconnect them') % dest)

    # Cinder

    def _hosts(self, bdm: Bdm) -> dict[str, str | None]:
        return limit.call(
            lambda: volume_connections.attached(self._context, bdm))

    def _connected(self, bdm: Bdm, attachment: str) -> Bdm:
        return limit.call(lambda: volume_connections.with_connection(
            self._context, self._cinder, bdm, attachment))

    def _delete(self, ids: list[str]) -> None:
        for attachment in ids:
            with self._noted(_delete_command(attachment)):
                limit.call(functools.partial(
                    stray_attachments.delete, self._context, self._cinder,
                    self._uuid, attachment), limit.DONE_WITHIN_S)

    # What is left

    @contextlib.contextmanager
    def _noted(self, by_hand: str) -> Iterator[None]:
        """Go on if it fails, and note what is to be done by hand."""
        cause: Exception
        try:
            with attachments.refusal_explained():
                yield
            return
        except exception.PostCopyCinderRefused as exc:
            cause = PermissionError(_(
                'Cinder refused Nova itself, which needs credentials in '
                '[cinder] of the nova.conf that this command reads: %s')
                % exc.kwargs['reason'])
        except Exception as exc:
            # As of the other services: it means that the operator does it.
            cause = exc
        self.causes.append(cause)
        self.by_hand.append(by_hand)


def _delete_command(*ids: str) -> str:
    return '; '.join(
        'openstack --os-volume-api-version 3.27 volume attachment delete %s'
        % each for each in ids)


def _delete_unused(bdm: Bdm) -> str:
    return _('"%(delete)s" for each attachment that "openstack volume show -c '
             'attachments %(volume)s" has of the server, and "openstack '
             '--os-compute-api-version 2.89 server volume list %(server)s" '
             'does not') % {
                 'delete': _delete_command('ID'), 'volume': bdm.volume_id,
                 'server': bdm.instance_uuid}
