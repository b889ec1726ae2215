# SPDX-License-Identifier: Apache-2.0

"""Bring the cloud back to a known state after a case that went wrong.

Nothing here is part of what is tested, so it may use force: the next case
shall not suffer from this one.
"""

from __future__ import annotations

from collections.abc import Callable
import os
import pathlib
import shutil
import signal
import typing

import libvirt

from lab.cloud.services import ceph
from lab.cloud.services import nova
from lab.cloud import volumes
from lab import layout

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab.cloud import hosts as lab_hosts

_PLACEMENT = {'service_type': 'placement', 'region_name': layout.REGION}


def restore(cloud: lab_cloud.Cloud, say: Callable[[str], None]) -> None:
    """Remove all servers and all that is left of them.

    :raises lab.errors.LabError: when that does not help
    """
    hosts = list(cloud.hosts.values())
    if _is_clear(cloud):
        # After an outage of RabbitMQ one may hang: its reply was lost.
        for host in hosts:
            nova.wait_for_compute(cloud, host)
        return
    say('bringing the cloud back to a known state')
    for host in hosts:
        # Threads may be waiting there for what will never happen.
        host.kill_compute()
        _clear_host(host)
    for host in hosts:
        host.start_compute()
    for host in hosts:
        nova.wait_for_compute(cloud, host)
    _clear_nova(cloud)
    for consumer in _consumers(cloud):
        cloud.session.delete('/allocations/' + consumer,
                             endpoint_filter=_PLACEMENT)
    for host in hosts:
        for path in host.disks():
            shutil.rmtree(path)
    if cloud.storage.volumes:
        volumes.clear(cloud)
        ceph.remove_images(ceph.DISKS)


def _is_clear(cloud: lab_cloud.Cloud) -> bool:
    return not (cloud.nova().servers.list() or _consumers(cloud) or any(
        host.domains() or host.disks() or _durable(host)
        for host in cloud.hosts.values()) or cloud.storage.volumes and (
            volumes.all_volumes(cloud) or ceph.images(ceph.DISKS)))


def _durable(host: lab_hosts.Host) -> list[pathlib.Path]:
    return list((host.layout.directory / 'nova' / 'post_copy').glob('*'))


def _consumers(cloud: lab_cloud.Cloud) -> list[str]:
    """Return who has resources of the hosts."""
    providers = cloud.get('placement', '/resource_providers')
    return [consumer for provider in providers['resource_providers']
            for consumer in cloud.get(
                'placement', '/resource_providers/%s/allocations'
                % provider['uuid'])['allocations']]


def _clear_host(host: lab_hosts.Host) -> None:
    """End what runs, also when libvirt waits for it."""
    connection = host.connect()
    for domain in connection.listAllDomains():
        pid = _pid(host, domain.name())
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
    for domain in connection.listAllDomains():
        for call in (domain.destroy, domain.undefine):
            try:
                call()
            except libvirt.libvirtError:
                pass    # it is not running, or gone with its process
    connection.close()
    for path in _durable(host):
        path.unlink()


def _pid(host: lab_hosts.Host, name: str) -> int | None:
    path = (host.layout.directory / 'run' / 'libvirt' / 'qemu'
            / (name + '.pid'))
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def _clear_nova(cloud: lab_cloud.Cloud) -> None:
    client = cloud.nova()
    for server in client.servers.list():
        server.reset_state('error')
        cloud.delete(server)
