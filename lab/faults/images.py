# SPDX-License-Identifier: Apache-2.0

"""Looks all the time who has the images of a server open, in Ceph.

An image that is gone while a QEMU that could have it open runs was removed
too soon: who copies the server's memory, or has arrived, still writes to it.
"""

from collections.abc import Callable
from collections.abc import Sequence
import subprocess

from lab.cloud.services import ceph
from lab.faults import looker
from lab.instruments import proof
from lab import layout

INTERVAL_S = 1.0        # between two looks

_HOSTS = {host.management: host.name for host in layout.HOSTS}


def of_server(server: str) -> dict[str, list[str]]:
    """Return the hosts that have each image of a server open.

    :raises subprocess.SubprocessError: Ceph does not answer
    """
    return {image: hosts for image in ceph.images(ceph.DISKS)
            if image.startswith(server)
            and (hosts := _hosts(ceph.DISKS, image)) is not None}


def of_volume(volume: str) -> list[str] | None:
    """Return the hosts that have the image of a volume open.

    :returns: None: there is no such image
    :raises subprocess.SubprocessError: Ceph does not answer
    """
    return _hosts(ceph.VOLUMES, 'volume-' + volume)


def _hosts(pool: str, image: str) -> list[str] | None:
    addresses = ceph.watchers(pool, image)
    return None if addresses is None else sorted(
        _HOSTS.get(address, address) for address in addresses)


class Images(looker.Looker):
    """Looks who has them open.

    :param hosts: as for :func:`lab.instruments.proof.qemu_processes`
    :param on_change: called with an image and the hosts that have it open
        now, each time that these are others
    :param on_removed: called with an image that is gone, and the hosts on
        which a QEMU of the server runs
    """

    BLINDED = (subprocess.SubprocessError,)

    def __init__(self, server: str, volumes: Sequence[str],
                 hosts: dict[str, int],
                 on_change: Callable[[str, list[str]], None],
                 on_removed: Callable[[str, list[str]], None]) -> None:
        self._server = server
        self._volumes = volumes
        self._hosts = hosts
        self._on_change = on_change
        self._on_removed = on_removed
        self._known: dict[str, list[str]] = {}
        super().__init__(INTERVAL_S)

    def look(self) -> None:
        """Look once.

        :raises subprocess.SubprocessError: Ceph does not answer
        """
        before = proof.qemu_processes(self._server, self._hosts)
        found = of_server(self._server) | {
            'volume-' + volume: hosts for volume in self._volumes
            if (hosts := of_volume(volume)) is not None}
        # One that has begun, or ended, meanwhile proves nothing.
        running = before.keys() & proof.qemu_processes(
            self._server, self._hosts).keys()
        for image in self._known.keys() - found.keys():
            if running:
                self._on_removed(image, sorted(
                    before[pid] for pid in running))
        for image, hosts in found.items():
            if self._known.get(image) != hosts:
                self._on_change(image, hosts)
        self._known = found
