# SPDX-License-Identifier: Apache-2.0

"""Cinder's API, below Nova's client."""

from types import SimpleNamespace

from cinderclient import exceptions as cinder_exception
import fixtures
from oslo_utils.fixture import uuidsentinel as uuids


def attachments(volume):
    """Return the ids of the two attachments of a volume: src's and dest's."""
    return (getattr(uuids, volume + '_src'),
            getattr(uuids, volume + '_dest'))


class Cinder(fixtures.Fixture):
    """Attachments of one server, and others of another."""

    def __init__(self, server):
        self.server = server
        #: volume to the hosts of its attachments
        self.volumes = {}
        #: what the requests of a name raise
        self.errors = {}
        #: requests that change something
        self.done = []

    def _setUp(self):
        self.useFixture(fixtures.MonkeyPatch(
            'nova.volume.cinder.cinderclient', self._client))

    def _client(self, context, microversion, skip_version_check=False):
        return SimpleNamespace(
            volumes=SimpleNamespace(get=self._get),
            attachments=SimpleNamespace(show=self._show, delete=self._delete))

    def of(self, volume):
        """Return the ids of the attachments of the server to a volume."""
        return set(self.volumes[volume])

    def unname(self):
        """Name no host any more, as to whom is no administrator."""
        self.volumes = {volume: dict.fromkeys(attached)
                        for volume, attached in self.volumes.items()}

    def _get(self, volume):
        self._check('get')
        if volume not in self.volumes:
            raise cinder_exception.NotFound(404)
        return SimpleNamespace(attachments=[
            {'attachment_id': attachment, 'host_name': host,
             'server_id': self.server}
            for attachment, host in self.volumes[volume].items()] + [
                {'attachment_id': 'other-' + host, 'host_name': host,
                 'server_id': 'other'} for host in ('src', 'dest')])

    def _show(self, attachment):
        self._check('show')
        return SimpleNamespace(to_dict=lambda: {
            'id': attachment, 'connection_info': {
                'driver_volume_type': 'iscsi', 'lun of': attachment}})

    def _delete(self, attachment):
        self._check('delete')
        self.done.append(('delete', attachment))
        for attached in self.volumes.values():
            attached.pop(attachment, None)

    def _check(self, request):
        if request in self.errors:
            raise self.errors[request]
