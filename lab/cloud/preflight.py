# SPDX-License-Identifier: Apache-2.0

"""Can this machine host the lab? If not, what is missing?

Needs nothing but Python, so that it can be asked before anything is
installed: ``python3 -m lab.cloud.preflight`` prints a line for everything that
the machine itself lacks, and nothing when it can host the lab.
"""

import os
import pathlib
import platform
import shutil
import subprocess
import sys

from lab import layout

MEMORY_GIB = 4
DISK_GIB = 3
_USERFAULTFD = pathlib.Path('/proc/sys/vm/unprivileged_userfaultfd')
_PROGRAMS = {
    'ip': 'iproute2', 'tc': 'iproute2', 'ss': 'iproute2',
    'nft': 'nftables', 'nsenter': 'util-linux',
    'unshare': 'util-linux', 'mount': 'mount',
    'mariadbd': 'mariadb-server-core',
    'mariadb-install-db': 'mariadb-server-core',
    'my_print_defaults': 'mariadb-client-core',
    'epmd': 'erlang-base', 'rabbitmq-server': 'rabbitmq-server',
    'libvirtd': 'libvirt-daemon', 'virtlogd': 'libvirt-daemon',
    'qemu-system-x86_64': 'qemu-system-x86', 'qemu-img': 'qemu-utils',
    'as': 'binutils', 'ld': 'binutils',
}
# What a kind of storage needs on top, which is asked for by name: GiB of
# memory, programs.
_STORAGE: dict[str, tuple[int, dict[str, str]]] = {
    'local': (0, {}),
    'shared': (0, {'bindfs': 'bindfs'}),
    'ceph': (2, {
        'ceph-mon': 'ceph-mon', 'ceph-mgr': 'ceph-mgr',
        'ceph-osd': 'ceph-osd', 'ceph': 'ceph-common', 'rbd': 'ceph-common',
        'genisoimage': 'genisoimage'}),
}
# What the lab does with the kernel, on interfaces that nobody sees.
_TRIAL = '''
ip link add one type veth peer name two &&
ip link add bridge type bridge &&
ip link set one master bridge &&
tc qdisc add dev two root tbf rate 100mbit burst 1m latency 50ms &&
mount -t sysfs sysfs /sys
'''


def machine(storage: str = 'local') -> list[str]:
    """Return what the machine itself lacks, a sentence each."""
    lacks = []
    if platform.system() != 'Linux' or platform.machine() != 'x86_64':
        return ['The lab runs on Linux on x86_64, and this is %s on %s.' % (
            platform.system(), platform.machine())]
    if os.geteuid() != 0:
        lacks.append('The lab makes network namespaces, which takes root.')
    elif not _allowed(['unshare', '--net', '--mount', '--uts', 'true']):
        lacks.append('This machine does not allow network and mount '
                     'namespaces; a container needs to be privileged.')
    elif shutil.which('tc') and shutil.which('ip') and not _allowed(
            ['unshare', '--net', '--mount', 'sh', '-c', _TRIAL]):
        lacks.append('The kernel lacks veth, bridge or the tbf queueing '
                     'discipline, or does not let us use them.')
    lacks += _userfaultfd()
    needed = MEMORY_GIB + _STORAGE[storage][0]
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    if memory < (needed - 0.5) * 2**30:
        lacks.append('The lab needs %d GiB of memory, and this machine has '
                     '%.1f GiB.' % (needed, memory / 2**30))
    free = shutil.disk_usage(layout.ROOT).free
    if free < DISK_GIB * 2**30:
        lacks.append('The lab needs %d GiB of disk, and %s has %.1f GiB '
                     'free.' % (DISK_GIB, layout.ROOT, free / 2**30))
    return lacks


def _userfaultfd() -> list[str]:
    """QEMU on the destination needs userfaultfd without privileges."""
    try:
        value = _USERFAULTFD.read_text()
        if os.geteuid() == 0:
            _USERFAULTFD.write_text(value)
    except FileNotFoundError:
        return ['The kernel has no userfaultfd.']
    except OSError:
        if value.strip() == '0':
            return ['The sysctl vm.unprivileged_userfaultfd is 0 and cannot '
                    'be set here.']
    return []


def software(storage: str = 'local') -> list[str]:
    """Return what is not installed, a sentence each."""
    # sbin is not in everybody's PATH.
    path = os.environ.get('PATH', '') + ':/usr/sbin:/sbin'
    lacks = ['The program %s of the package %s is not installed.' % item
             for item in (_PROGRAMS | _STORAGE[storage][1]).items()
             if shutil.which(item[0], path=path) is None]
    lacks += ['%s is not installed; "./run lab" does it.' % name
              for name in ('nova-compute', 'keystone-manage',
                           'placement-manage', 'glance-manage',
                           'neutron-db-manage', 'cinder-manage', 'uwsgi')
              if not (layout.BIN / name).exists()]
    return lacks


def missing(storage: str = 'local') -> list[str]:
    """Return all that keeps this machine from hosting the lab now."""
    return machine(storage) + software(storage)


def _allowed(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


if __name__ == '__main__':
    print('\n'.join(machine(*sys.argv[1:])))
    sys.exit(0)
