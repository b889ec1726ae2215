# SPDX-License-Identifier: Apache-2.0

"""Under which conditions a bench is made: machine, versions, commands."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
import pathlib
import platform
import re
import shlex
import sys
import typing

from lab.bench import domain
from lab.bench import guests
from lab.bench import modes
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud

_PACKAGES = ('nova', 'nova-post-copy', 'python-novaclient', 'neutron',
             'libvirt-python')


def look(cloud: lab_cloud.Cloud, seed: int, rounds: int) -> dict:
    """Describe what the figures hold for, and how to make them again.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up
    """
    connection = cloud.host(layout.HOSTS[0].name).connect()
    try:
        libvirt, qemu = connection.getLibVersion(), connection.getVersion()
    finally:
        connection.close()
    return {
        'date': datetime.datetime.now(datetime.UTC).isoformat(
            timespec='minutes'),
        'command': './run bench --runs %d --seed %d' % (rounds, seed),
        'virsh': shlex.join(domain.command(layout.HOSTS[1], cloud.bandwidth)),
        'seed': seed,
        'memory': guests.MEMORY_MIB * layout.MIB,
        'filled': guests.FILLED_MIB * layout.MIB,
        'bandwidth': cloud.bandwidth,
        'slowness': wait.slowness,
        'limits': {name: wait.scaled(mode.limit)
                   for name, mode in modes.MODES.items()
                   if mode.limit is not None},
        'guests': {kind.name: {'working_set_mib': kind.working_set_mib,
                               'pace_mib_per_second': kind.pace_mib,
                               'burst_mib': kind.burst_mib}
                   for kind in guests.GUESTS.values()},
        'machine': _machine(),
        'versions': {'Python': platform.python_version(),
                     'libvirt': _version(libvirt), 'QEMU': _version(qemu)}
        | {name: importlib.metadata.version(name) for name in _PACKAGES},
    }


def _machine() -> dict:
    model = re.search(r'^model name\s*: (.*)$',
                      pathlib.Path('/proc/cpuinfo').read_text(), re.MULTILINE)
    memory = os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES')
    return {'processors': os.cpu_count(),
            'processor': model[1] if model else platform.machine(),
            'memory': '%d MiB' % (memory // layout.MIB),
            'kernel': platform.release(),
            'system': _system(),
            'emulation': 'the guests run on an emulated processor (TCG)'}


def _system() -> str:
    try:
        return platform.freedesktop_os_release()['PRETTY_NAME']
    except (OSError, KeyError):
        return sys.platform


def _version(number: int) -> str:
    """Return libvirt's way to write a version in words."""
    return '%d.%d.%d' % (number // 1000000, number // 1000 % 1000,
                         number % 1000)
