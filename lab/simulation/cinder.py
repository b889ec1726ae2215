# SPDX-License-Identifier: Apache-2.0

"""A Cinder that knows which host may reach which volume, and refuses.

Extends upstream's fixture, whose attachments have no connection, no state, and
can be deleted by anybody at any time. The rules are those of Cinder's own
``volume/api.py`` (methods ``_attachment_reserve``, ``attachment_create``,
``attachment_update`` and ``attachment_delete``):

* Attachments of another server to a volume in use are refused; the server that
  uses it may have a second one, on another host.
* A connection is made when the connector is known: in creation or in update.
  An update is refused where the volume is connected already.
* A volume shows only the attachments that are complete
  (``api/views/volumes.py``), and their hosts to administrators.
* The status of a volume follows from what is left of its attachments:
  *attached* is more than *attaching*, that more than *reserved*.
"""

import functools
import types

from cinderclient import exceptions as cinder_exception
import fixtures
from nova import exception
from nova.tests import fixtures as nova_fixtures
from oslo_utils import uuidutils

from lab.simulation import hosts
from lab.simulation import outage
from lab.simulation import san

GIB = 1 << 30

# Of more to less: what an attachment makes of its volume.
_STATUS = {'attached': 'in-use', 'attaching': 'attaching',
           'reserved': 'reserved'}


class Cinder(nova_fixtures.CinderFixture):
    """Replaces upstream's fixture; use after it."""

    def __init__(self, test, cloud: hosts.Hosts) -> None:
        super().__init__(test)
        self._cloud = cloud
        self.san = san.StorageNetwork(cloud)
        self.outage = outage.Outage(lambda: cinder_exception.ClientException(
            503, 'Service Unavailable'))
        #: whether ``[cinder]`` has no credentials: then a request of Nova's
        #: own, without the token of a user, is refused
        self.needs_token = False

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(self.san)
        # For those who ask what Nova's own methods do not tell.
        self.useFixture(fixtures.MonkeyPatch(
            'nova.volume.cinder.cinderclient',
            lambda context, microversion=None, skip_version_check=False,
            check_only=False: types.SimpleNamespace(
                volumes=types.SimpleNamespace(get=functools.partial(
                    self._show_volume, context)))))

    # What tests command and ask

    def new_volume(self, size_gib: int = 1, bootable: bool = False) -> str:
        """Create a volume.

        :returns: its uuid
        """
        volume = super().fake_vol_create(None, size_gib, None, None)
        if bootable:
            volume['bootable'] = True
            volume['volume_image_metadata'] = {}
        self.san.sizes[volume['id']] = size_gib * GIB
        return volume['id']

    def extend(self, volume: str, size_gib: int) -> None:
        """Make a volume larger; Nova has to be told by an event."""
        self.volumes[volume]['size'] = size_gib
        self.san.sizes[volume] = size_gib * GIB

    def attached(self, volume: str) -> dict[str | None, str]:
        """Map the hosts that a volume is attached to, to the state of that.

        The host is None in an attachment that only reserves the volume.
        """
        return {_host(attachment): attachment['attach_status']
                for attachment in self._attachments(volume)}

    def volumes_of(self, server: str) -> set[str]:
        """Return the volumes that have an attachment of a server."""
        return set(self.volume_ids_for_instance(server))

    def unattached(self) -> list[str]:
        """Say which volumes a guest uses that Cinder counts elsewhere."""
        return ['volume %s is not attached to %s, where server %s uses it'
                % (lun.volume, lun.host, server)
                for number, lun in list(self.san.luns.items())
                if lun.host not in self.attached(lun.volume)
                for server in self._cloud.disks.needing(
                    lun.host, san.path(number))]

    # Cinder's API

    def fake_get(self, context, volume_id, microversion=None):
        self._check(context, 'get')
        volume = dict(super().fake_get(context, volume_id, microversion))
        if volume_id in self.volumes:
            volume['attachments'] = {
                attachment['instance_uuid']: {
                    'attachment_id': attachment['id'],
                    'mountpoint': (attachment['connector'] or {}).get(
                        'mountpoint')}
                for attachment in self._attachments(volume_id)
                if attachment['attach_status'] == 'attached'}
        return volume

    def _show_volume(self, context, volume_id):
        """Show a volume as cinderclient does, with all of its attachments."""
        volume = self.fake_get(context, volume_id)
        return types.SimpleNamespace(
            id=volume_id, size=volume['size'], status=volume['status'],
            attachments=[{
                'id': volume_id, 'volume_id': volume_id,
                'attachment_id': attachment['id'],
                'server_id': attachment['instance_uuid'],
                'host_name': _host(attachment) if context.is_admin else None,
                'device': attachment['connector']['mountpoint'],
            } for attachment in self._attachments(volume_id)
                if attachment['attach_status'] == 'attached'])

    def fake_vol_create(self, *args, **kwargs):
        volume = super().fake_vol_create(*args, **kwargs)
        self.san.sizes[volume['id']] = volume['size'] * GIB
        return volume

    def fake_attachment_create(
            self, context, volume_id, instance_uuid, connector=None,
            mountpoint=None):
        self._check(context, 'attachment_create')
        known = self._attachments(volume_id)
        if known and instance_uuid not in {
                attachment['instance_uuid'] for attachment in known}:
            raise exception.InvalidInput(
                'Volume %s status must be available or downloading to '
                'reserve, but the current status is %s.' % (
                    volume_id, self._status(volume_id)))
        attachment = {
            'id': uuidutils.generate_uuid(), 'volume_id': volume_id,
            'instance_uuid': instance_uuid, 'connector': None,
            'attach_status': 'reserved', 'connection_info': None}
        self.volume_to_attachment[volume_id][attachment['id']] = attachment
        if connector:
            self._connect(attachment, connector, mountpoint)
        self._settle(volume_id)
        return _shown(attachment)

    def fake_attachment_update(
            self, context, attachment_id, connector, mountpoint=None):
        self._check(context, 'attachment_update')
        volume_id, attachment, _ = self._find_attachment(attachment_id)
        known = self._attachments(volume_id)
        if len(known) > 1 and any(each['connection_info'] for each in known):
            raise exception.InvalidInput(
                'duplicate connectors detected on volume %s' % volume_id)
        self._connect(attachment, connector, mountpoint)
        self._settle(volume_id)
        return _shown(attachment)

    def fake_attachment_complete(self, context, attachment_id):
        self._check(context, 'attachment_complete')
        volume_id, attachment, _ = self._find_attachment(attachment_id)
        attachment['attach_status'] = 'attached'
        self._settle(volume_id)

    def fake_attachment_get(self, context, attachment_id):
        self._check(context, 'attachment_get')
        _, attachment, _ = self._find_attachment(attachment_id)
        return _shown(attachment)

    def fake_attachment_get_all(
            self, context, instance_id=None, volume_id=None):
        self._check(context, 'attachment_get_all')
        return [_shown(attachment)
                for volume in list(self.volume_to_attachment)
                for attachment in self._attachments(volume)
                if volume_id in (None, volume)
                and instance_id in (None, attachment['instance_uuid'])]

    def fake_attachment_delete(self, context, attachment_id):
        self._check(context, 'attachment_delete')
        try:
            volume_id, attachment, attachments = self._find_attachment(
                attachment_id)
        except exception.VolumeAttachmentNotFound:
            return      # as the real client, which only logs a warning
        del attachments[attachment_id]
        self._settle(volume_id)
        if attachment['connection_info']:
            lun = attachment['connection_info']['data']['target_lun']
            if not any(each['connection_info'] and
                       each['connection_info']['data']['target_lun'] == lun
                       for each in self._attachments(volume_id)):
                self.san.withdraw(lun)

    def _check(self, context, call: str) -> None:
        self.outage.check(call)
        if self.needs_token and not context.auth_token:
            raise cinder_exception.Unauthorized(
                401, 'Unknown auth type: None')

    def _connect(self, attachment: dict, connector: dict,
                 mountpoint: str | None) -> None:
        volume = attachment['volume_id']
        attachment['connector'] = dict(connector, mountpoint=mountpoint)
        attachment['attach_status'] = 'attaching'
        attachment['connection_info'] = {
            'driver_volume_type': 'iscsi',
            'data': {
                'target_portal': san.PORTAL, 'target_iqn': san.IQN,
                'target_lun': self.san.export(volume, connector['host']),
                'target_discovered': False, 'volume_id': volume,
                'attachment_id': attachment['id'], 'access_mode': 'rw'}}

    def _attachments(self, volume: str) -> list[dict]:
        return list(self.volume_to_attachment[volume].values())

    def _status(self, volume: str) -> str:
        states = {attachment['attach_status']
                  for attachment in self._attachments(volume)}
        return next((status for state, status in _STATUS.items()
                     if state in states), 'available')

    def _settle(self, volume: str) -> None:
        """Let the status of a volume follow from its attachments."""
        if volume in self.volumes:
            status = self._status(volume)
            self.volumes[volume].update(
                status=status,
                attach_status={'in-use': 'attached',
                               'available': 'detached'}.get(status, status))


def _host(attachment: dict) -> str | None:
    return (attachment['connector'] or {}).get('host')


def _shown(attachment: dict) -> dict:
    """Return an attachment as nova.volume.cinder translates it."""
    return {
        'id': attachment['id'], 'volume_id': attachment['volume_id'],
        'instance': attachment['instance_uuid'],
        'status': attachment['attach_status'], 'attach_mode': 'rw',
        'connection_info': (attachment['connection_info'] and dict(
            attachment['connection_info'],
            data=dict(attachment['connection_info']['data'])))}
