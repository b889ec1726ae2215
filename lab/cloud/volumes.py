# SPDX-License-Identifier: Apache-2.0

"""Volumes, as their user and the administrator of Cinder see them."""

from __future__ import annotations

import typing

from keystoneauth1 import exceptions

from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud

# With attachments: one for each host of a server that is between two.
_MICROVERSION = '3.44'
_ENDPOINT = {'service_type': 'block-storage', 'region_name': layout.REGION}
_LIMIT_S = 60.0
_RELEASED_S = 90.0


def create(cloud: lab_cloud.Cloud, name: str, size_gib: int = 1) -> str:
    """Create a volume and return its id when it is available.

    :raises lab.errors.LabError: when it does not become available
    """
    volume = _post(cloud, '/volumes', {'volume': {
        'name': name, 'size': size_gib}}).json()['volume']['id']
    wait.until(lambda: status(cloud, volume) == 'available',
               'available volume ' + name, _LIMIT_S, interval=0.3)
    return volume


def delete(cloud: lab_cloud.Cloud, volume: str) -> None:
    """Delete a volume as its user does; return when it is gone.

    Not before it is available: of a server that was lost and is deleted, the
    source releases it at its next look.

    :raises lab.errors.LabError: when it does not become available, or does
        not go
    """
    wait.until(lambda: status(cloud, volume) in ('available', None),
               'release of the volume ' + volume, _RELEASED_S, interval=1)
    try:
        cloud.session.delete('/volumes/' + volume, endpoint_filter=_ENDPOINT)
    except exceptions.NotFound:
        return
    _wait_gone(cloud, volume)


def status(cloud: lab_cloud.Cloud, volume: str) -> str | None:
    """Return the status of a volume; None: there is no such."""
    found = _get(cloud, volume)
    return found and found['status']


def attachments(cloud: lab_cloud.Cloud, volume: str) -> list[str]:
    """Return the host of each attachment of a volume.

    One that has no host yet, which is not shown with its volume, is ''.
    """
    hosts = {attachment['attachment_id']: attachment['host_name']
             for attachment in (_get(cloud, volume) or {}).get(
                 'attachments', ())}
    return sorted(hosts.get(attachment) or ''
                  for attachment in _attachments(cloud, volume))


def all_volumes(cloud: lab_cloud.Cloud) -> list[str]:
    """Return the ids of the volumes of all projects."""
    return [volume['id'] for volume in cloud.get(
        'block-storage', '/volumes?all_tenants=1',
        microversion=_MICROVERSION)['volumes']]


def clear(cloud: lab_cloud.Cloud) -> None:
    """Delete all volumes, whatever is left of their attachments.

    Cinder does so when Nova knows no server that they could be of.

    :raises lab.errors.LabError: when one does not go
    """
    for volume in all_volumes(cloud):
        for attachment in _attachments(cloud, volume):
            cloud.session.delete(
                '/attachments/' + attachment, endpoint_filter=_ENDPOINT,
                microversion=_MICROVERSION)
        _post(cloud, '/volumes/%s/action' % volume,
              {'os-force_delete': None})
        _wait_gone(cloud, volume)


def _get(cloud: lab_cloud.Cloud, volume: str) -> dict | None:
    try:
        return cloud.get('block-storage', '/volumes/' + volume,
                         microversion=_MICROVERSION)['volume']
    except exceptions.NotFound:
        return None


def _attachments(cloud: lab_cloud.Cloud, volume: str) -> list[str]:
    return [attachment['id'] for attachment in cloud.get(
        'block-storage', '/attachments?all_tenants=1&volume_id=' + volume,
        microversion=_MICROVERSION)['attachments']]


def _post(cloud: lab_cloud.Cloud, url: str, body: dict):
    return cloud.session.post(url, endpoint_filter=_ENDPOINT, json=body,
                              microversion=_MICROVERSION)


def _wait_gone(cloud: lab_cloud.Cloud, volume: str) -> None:
    wait.until(lambda: _get(cloud, volume) is None,
               'end of the volume ' + volume, _LIMIT_S, interval=0.3)
