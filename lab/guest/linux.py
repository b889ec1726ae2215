# SPDX-License-Identifier: Apache-2.0

"""A Linux guest with a network: Debian's kernel and one script.

The guest of :mod:`lab.guest` has no network card. This one configures an
address, answers ping as any Linux does, and rewrites memory all the time, so
that a migration has dirty pages to copy. Nova boots it from kernel and
ramdisk.
"""

import gzip
import pathlib
import shutil
import subprocess
import tempfile
import typing

from lab import errors
from lab import guest
from lab import layout

_FOLDER = layout.CACHE / 'linux'
_PACKAGES = ('linux-image-cloud-amd64', 'busybox-static')
# In the order in which they depend on each other.
_MODULES = ('failover', 'net_failover', 'virtio_ring', 'virtio',
            'virtio_pci_legacy_dev', 'virtio_pci_modern_dev', 'virtio_pci',
            'virtio_net')

# The address comes with the kernel's command line. Random contents: pages of
# zeros would hardly be copied.
_INIT = '''#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs dev /dev
mount -t tmpfs tmpfs /tmp
for module in %(modules)s; do insmod /modules/$module.ko; done
for word in $(cat /proc/cmdline); do
    case $word in
        address=*) ifconfig eth0 "${word#address=}" netmask 255.255.255.0 up ;;
    esac
done
dd if=/dev/urandom of=/tmp/random bs=1M count=8
while true; do
    for part in 0 1 2 3 4 5 6 7; do
        dd if=/tmp/random of=/tmp/hot bs=1M seek=$((8 * part)) conv=notrunc
    done
done 2>/dev/null
'''


class Glance(typing.Protocol):
    """The part of a :class:`lab.cloud.cloud.Cloud` that stores images."""

    def upload_image(self, name: str, path: pathlib.Path,
                     **properties: str) -> str:
        """Replace the image of this name and return its id."""


def upload(cloud: Glance, name: str, address: str) -> str:
    """Upload the guest as an image that configures this IPv4 address.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up
    :return: id of the image
    :raises LabError: when Debian's archive cannot be reached
    """
    kernel, modules, busybox = _files()
    with tempfile.TemporaryDirectory() as folder:
        ramdisk = pathlib.Path(folder, 'ramdisk')
        _build_ramdisk(ramdisk, modules, busybox)
        # Nova wants a disk as well; nothing reads this one.
        disk = pathlib.Path(folder, 'disk')
        guest.build_image(disk)
        return cloud.upload_image(
            name, disk,
            kernel_id=cloud.upload_image(
                name + '-kernel', kernel, disk_format='aki',
                container_format='aki'),
            ramdisk_id=cloud.upload_image(
                name + '-ramdisk', ramdisk, disk_format='ari',
                container_format='ari'),
            os_command_line='console=ttyS0 quiet address=' + address)


def _files() -> tuple[pathlib.Path, list[pathlib.Path], pathlib.Path]:
    """Return kernel, modules and busybox; download them the first time."""
    if not _FOLDER.is_dir():
        partial = _FOLDER.with_name('linux-partial')
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        _download(partial)
        partial.rename(_FOLDER)
    kernel, = _FOLDER.glob('boot/vmlinuz-*')
    modules = [next(_FOLDER.glob('lib/modules/**/%s.ko' % name))
               for name in _MODULES]
    return kernel, modules, _FOLDER / 'bin/busybox'


def _download(folder: pathlib.Path) -> None:
    try:
        # A metapackage: it depends on the current kernel.
        depends = subprocess.run(
            ['apt-cache', 'depends', '--important', _PACKAGES[0]],
            check=True, capture_output=True, text=True).stdout
        kernel = next(word for word in depends.split()
                      if word.startswith('linux-image-6'))
        for package in (kernel, *_PACKAGES[1:]):
            subprocess.run(['apt-get', 'download', '-q', package],
                           cwd=folder, check=True, capture_output=True)
        for archive in folder.glob('*.deb'):
            subprocess.run(['dpkg-deb', '--extract', archive, folder],
                           check=True)
            archive.unlink()
    except (OSError, StopIteration, subprocess.CalledProcessError) as exc:
        raise errors.LabError(
            "the kernel of the guest comes from Debian's archive, and that "
            'has failed: %s %s' % (exc, getattr(exc, 'stderr', ''))) from exc


def _build_ramdisk(path: pathlib.Path, modules: list[pathlib.Path],
                   busybox: pathlib.Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for name in ('bin', 'dev', 'modules', 'proc', 'tmp'):
            (root / name).mkdir()
        shutil.copy(busybox, root / 'bin')
        for module in modules:
            shutil.copy(module, root / 'modules')
        init = root / 'init'
        init.write_text(_INIT % {'modules': ' '.join(_MODULES)})
        init.chmod(0o755)
        subprocess.run(['mknod', root / 'dev/console', 'c', '5', '1'],
                       check=True)
        names = sorted(str(found.relative_to(root))
                       for found in root.rglob('*'))
        archive = subprocess.run(
            [busybox, 'cpio', '-o', '-H', 'newc'], cwd=root, check=True,
            input='\n'.join(names).encode(), capture_output=True).stdout
        path.write_bytes(gzip.compress(archive, 1))
