# SPDX-License-Identifier: Apache-2.0

"""The disks that Nova makes for a server: files of a host, or RBD images.

Upstream's fixture gives one answer to every question about storage, and keeps
no disk. Here the disks exist. A file is a file, in the instances path that the
host has, or shares with others. An RBD image has watchers, the domains that
have it open; as Ceph does, the pool refuses to remove an image that is watched
("rbd: error: image still has watchers"), but who tries although a guest needs
it is noted as a violation.

What Nova asks of a backend is answered as by its own ``imagebackend``: an RBD
image is shared block storage, a file is in the instances path.
"""

from collections.abc import Callable
import errno
import functools
import os

import fixtures
from nova.virt.libvirt import config
from nova.virt.libvirt import driver
from nova.virt.libvirt import utils as libvirt_utils
from oslo_concurrency import processutils
from oslo_utils import fileutils

import nova.conf

from lab.simulation import hosts
from lab.simulation import processes

CONF = nova.conf.CONF

POOL = 'vms'
MONITORS = ['192.0.2.20'], ['6789']
GIB = 1 << 30
SIZE_BYTES = 1 << 20

_RBD = 'rbd:%s/' % POOL


class Images(fixtures.Fixture):
    """Use after upstream's LibvirtImageBackendFixture, which it replaces."""

    def __init__(self, cloud: hosts.Hosts) -> None:
        super().__init__()
        self._cloud = cloud
        #: names of the RBD images
        self.pool: set[str] = set()
        #: hosts whose local disk is full
        self.full: set[str] = set()
        #: hosts that may not write to their instances path
        self.read_only: set[str] = set()

    def _setUp(self) -> None:
        self._cloud.disks.stores.append(self)
        create_test_file = (
            driver.LibvirtDriver._create_shared_storage_test_file)
        for name, replacement in (
                ('nova.virt.libvirt.imagebackend.Backend.backend',
                 lambda _backend, image_type=None: _backend_of(
                     image_type or CONF.libvirt.images_type)),
                ('nova.virt.libvirt.LibvirtDriver._create_image',
                 lambda _driver, *args, **kwargs: self._create_disks(
                     *args, **kwargs)),
                ('nova.virt.libvirt.LibvirtDriver'
                 '._create_shared_storage_test_file',
                 lambda _driver, instance: self._create_test_file(
                     functools.partial(create_test_file, _driver, instance))),
                ('nova.virt.libvirt.utils.create_image', self._create_file),
                ('nova.storage.rbd_utils.RBDDriver', lambda: Rbd(self))):
            self.useFixture(fixtures.MonkeyPatch(name, replacement))

    def identity(self, source: str) -> str | None:
        return None     # no two hosts have two names of it

    def usable(self, host: str, source: str) -> bool:
        """Tell whether a disk of a guest is there; not of a volume."""
        if source.startswith(_RBD):
            return source.removeprefix(_RBD) in self.pool
        return source.startswith('/dev/') or os.path.exists(source)

    def of(self, server: str) -> set[str]:
        """Return the RBD images of a server."""
        return {name for name in self.pool if name.startswith(server)}

    def remove(self, name: str) -> None:
        """Remove an RBD image, unless somebody has it open."""
        for host in self._cloud.daemons:
            for server in self._cloud.disks.needing(host, _RBD + name):
                self._cloud.violate(
                    '%s removes image %s, which server %s needs on %s'
                    % (processes.host(), name, server, host))
        if not self._cloud.disks.opened(_RBD + name):
            self.pool.discard(name)

    # What Nova's driver does to disks

    def _create_disks(self, context, instance, disk_mapping, *args,
                      block_device_info=None, **kwargs) -> tuple[bool, bool]:
        """Create what the server needs and does not have.

        :returns: whether the directory and the disks are new
        """
        folder = libvirt_utils.get_instance_path(instance)
        new_folder = not os.path.exists(folder)
        fileutils.ensure_tree(folder)
        disk = os.path.join(folder, 'disk')
        if driver.LibvirtDriver._is_booted_from_volume(block_device_info):
            return new_folder, False
        if CONF.libvirt.images_type == 'rbd':
            new = instance.uuid + '_disk' not in self.pool
            self.pool.add(instance.uuid + '_disk')
            return new_folder, new
        new = not os.path.exists(disk)
        if new:
            self._create_file(disk, 'raw', SIZE_BYTES)
        return new_folder, new

    def _create_file(self, path, disk_format, disk_size, backing_file=None,
                     encryption=None, safe=False):
        if processes.host() in self.full:
            raise processutils.ProcessExecutionError(
                cmd='qemu-img create', exit_code=1,
                stderr='qemu-img: %s: No space left on device' % path)
        with open(path, 'wb') as disk:
            disk.truncate(int(disk_size or 0))

    def _create_test_file(self, upstream: Callable[[], str]) -> str:
        if processes.host() in self.read_only:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS),
                          CONF.instances_path)
        return upstream()


def _backend_of(image_type: str):
    """Return what makes the disks of a type, and knows the type."""
    rbd = image_type == 'rbd'

    def backend(instance=None, disk_name=None, path=None,
                disk_info_mapping=None):
        if rbd:
            return RbdImage(instance, disk_name, disk_info_mapping)
        return File(path or os.path.join(
            libvirt_utils.get_instance_path(instance), disk_name),
            disk_info_mapping)

    backend.SUPPORTS_CLONE = rbd
    backend.SUPPORTS_LUKS = False
    backend.is_shared_block_storage = lambda: rbd
    backend.is_file_in_instance_path = lambda: not rbd
    return backend


class File:
    """A disk in the instances path."""

    def __init__(self, path: str, disk_info_mapping) -> None:
        self.path = path
        self.disk_info_mapping = disk_info_mapping

    def exists(self) -> bool:
        return os.path.exists(self.path)

    def is_file_in_instance_path(self) -> bool:
        return True

    def libvirt_info(self, cache_mode, extra_specs, disk_unit=None,
                     boot_order=None) -> config.LibvirtConfigGuestDisk:
        info = _info(self.disk_info_mapping, cache_mode, boot_order)
        info.source_type = 'file'
        info.source_path = self.path
        return info


class RbdImage:
    """A disk in the pool."""

    def __init__(self, instance, disk_name: str, disk_info_mapping) -> None:
        self.name = '%s_%s' % (instance and instance.uuid, disk_name)
        self.path = _RBD + self.name
        self.disk_info_mapping = disk_info_mapping

    def is_file_in_instance_path(self) -> bool:
        return False

    def libvirt_info(self, cache_mode, extra_specs, disk_unit=None,
                     boot_order=None) -> config.LibvirtConfigGuestDisk:
        info = _info(self.disk_info_mapping, cache_mode, boot_order)
        info.source_type = 'network'
        info.source_protocol = 'rbd'
        info.source_name = '%s/%s' % (POOL, self.name)
        info.source_hosts, info.source_ports = MONITORS
        return info


class Rbd:
    """What Nova asks of the pool itself."""

    def __init__(self, images: Images) -> None:
        self._images = images

    def get_mon_addrs(self) -> tuple[list[str], list[str]]:
        return MONITORS

    def get_pool_info(self) -> dict[str, int]:
        return {'total': 128 * GIB, 'free': 84 * GIB, 'used': 44 * GIB}

    def cleanup_volumes(self, filter_fn) -> None:
        for name in sorted(filter(filter_fn, self._images.pool)):
            self._images.remove(name)


def _info(mapping, cache_mode, boot_order) -> config.LibvirtConfigGuestDisk:
    info = config.LibvirtConfigGuestDisk()
    info.source_device = mapping['type']
    info.target_bus = mapping['bus']
    info.target_dev = mapping['dev']
    info.driver_cache = cache_mode
    info.driver_format = 'raw'
    if boot_order:
        info.boot_order = boot_order
    return info
