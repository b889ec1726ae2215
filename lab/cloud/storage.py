# SPDX-License-Identifier: Apache-2.0

"""Where the disks of servers are: on the hosts, in a directory that the hosts
share, or in Ceph.

Each kind differs in what a migration has to copy, and in what may be deleted,
disconnected or written twice.
"""

from __future__ import annotations

import importlib.machinery
import pathlib
import sys
import typing
import xml.sax.saxutils

from lab.cloud import process
from lab.cloud.services import ceph
from lab.cloud.services import common
from lab import layout

if typing.TYPE_CHECKING:
    from lab.cloud import hosts

# Debian's own packages; pip has none of these two.
_BINDINGS = ('rados', 'rbd')
_DEBIAN = pathlib.Path('/usr/lib/python3/dist-packages')

_SECRET = '''\
<secret ephemeral="no" private="no">
  <uuid>%s</uuid>
  <usage type="ceph"><name>%s</name></usage>
</secret>
'''


class Storage:
    """One kind of storage, on all hosts."""

    #: what ``--storage`` calls it
    name: str
    #: the directory of all hosts' servers; None: each has its own
    directory: pathlib.Path | None = None
    #: Cinder is there
    volumes = False

    def disks(self) -> dict[str, object]:
        """Return options of ``[libvirt]``: how nova-compute makes disks."""
        return {'images_type': 'raw'}

    def clients(self) -> dict[str, dict[str, object]]:
        """Return the sections by which Nova is a client of Cinder."""
        return {}

    def processes(self) -> list[process.Process]:
        """Return what runs for the storage, except Cinder."""
        return []

    def configure(self) -> None:
        """Write the configuration of what :meth:`start` starts."""

    def start(self) -> None:
        """Start it; return when disks can be made."""

    def prepare(self, host: hosts.Host) -> None:
        """Make a host, whose libvirt answers, able to use it."""

    def remove(self) -> None:
        """Remove what is left when nothing runs any more."""


class Local(Storage):
    """Files on each host: a migration copies them."""

    name = 'local'


class Shared(Storage):
    """Files in one directory that libvirt takes for shared."""

    name = 'shared'
    directory = layout.STATE / 'hosts' / 'instances'


class Ceph(Storage):
    """RBD images, and Cinder with volumes in another pool."""

    name = 'ceph'
    volumes = True

    def disks(self) -> dict[str, object]:
        return {
            'images_type': 'rbd',
            'images_rbd_pool': ceph.DISKS,
            'images_rbd_ceph_conf': ceph.CONFIG,
            'rbd_user': ceph.USER,
            'rbd_secret_uuid': ceph.SECRET,
            'disk_cachemodes': 'network=writeback',
        }

    def clients(self) -> dict[str, dict[str, object]]:
        return {
            'cinder': common.credentials() | {
                'catalog_info': 'block-storage::internalURL',
                'os_region_name': layout.REGION},
            'service_user': common.credentials() | {
                'send_service_user_token': True},
        }

    def processes(self) -> list[process.Process]:
        return ceph.processes()

    def configure(self) -> None:
        ceph.configure()
        _link_bindings()

    def start(self) -> None:
        ceph.start()
        ceph.wait_ready()

    def prepare(self, host: hosts.Host) -> None:
        connection = host.connect()
        try:
            secret = connection.secretDefineXML(_SECRET % (
                ceph.SECRET,
                xml.sax.saxutils.escape('client.%s secret' % ceph.USER)))
            secret.setValue(ceph.key())
        finally:
            connection.close()

    def remove(self) -> None:
        ceph.remove()


KINDS = {kind.name: kind for kind in (Local, Shared, Ceph)}


def _link_bindings() -> None:
    """Make Debian's bindings of Ceph importable where the services run."""
    suffix = importlib.machinery.EXTENSION_SUFFIXES[0]
    site = pathlib.Path(sys.prefix, 'lib/python%d.%d/site-packages'
                        % sys.version_info[:2])
    for name in _BINDINGS:
        target = site / (name + suffix)
        if not target.exists():
            target.symlink_to(_DEBIAN / target.name)
