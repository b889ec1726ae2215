# SPDX-License-Identifier: Apache-2.0

"""How each kind of fault is injected, and healed.

An injector gets the :class:`lab.faults.scene.Scene` and where the fault is
to be. Healing is called in any case, also where the migration has ended
meanwhile, and has to work on what is not broken, too.
"""

from __future__ import annotations

from collections.abc import Callable
import os
import pathlib
import signal
import typing

from lab.cloud import network
from lab.cloud import process
from lab.cloud.services import cinder
from lab.cloud.services import database
from lab.cloud.services import keystone
from lab.cloud.services import messages
from lab.cloud.services import neutron
from lab.cloud.services import nova
from lab.cloud.services import placement
from lab.faults import case
from lab.faults import others
from lab.faults import requests
from lab.instruments import proof
from lab import layout

if typing.TYPE_CHECKING:
    from lab.cloud import hosts as lab_hosts
    from lab.faults.scene import Scene


class Injector(typing.NamedTuple):
    inject: Callable        # (scene, host): host is None where it is no matter
    heal: Callable | None = None


# The migration network. A pulled cable keeps the streams: TCP sends again.

def _cut(scene: Scene, host: lab_hosts.Host | None) -> None:
    scene.source.cut_migration_network()


def _connect(scene: Scene, host: lab_hosts.Host | None) -> None:
    scene.source.connect_migration_network()


def _break(scene: Scene, host: lab_hosts.Host | None) -> None:
    """Pull the cable, and let the streams fail at once on both sides."""
    _cut(scene, host)
    for side in layout.HOSTS:
        network.reset_migration_streams(side)


# As nft(8) says it.
_VERDICTS = {
    'reset': 'reject with tcp reset',
    'drop': 'drop',
    **{'lose %d %%' % share: 'numgen random mod 100 < %d drop' % share
       for share in (10, 30, 60)}}
_PORTS = {'': None, 'libvirt': '16509, 16514', 'QEMU': '49152-49215'}


def _filter(treatment: str, stream: str) -> Callable:
    def inject(scene: Scene, host: lab_hosts.Host | None) -> None:
        for side in layout.HOSTS:
            network.filter_migration(
                side, _VERDICTS[treatment], _PORTS[stream])
    return inject


def _unfilter(scene: Scene, host: lab_hosts.Host | None) -> None:
    for side in layout.HOSTS:
        network.filter_migration(side, None)


# Processes

def _start_compute(scene: Scene, host: lab_hosts.Host) -> None:
    host.start_compute()


def _qemu(scene: Scene, host: lab_hosts.Host) -> None:
    for pid, name in proof.qemu_processes(
            scene.observation.server, {host.name: host.init.pid}).items():
        if name == host.name:
            os.kill(pid, signal.SIGKILL)


def _kill_api(name: str) -> Callable:
    return lambda scene, host: process.Process(name).kill()


def _start_api(service) -> Callable:
    def heal(scene: Scene, host: lab_hosts.Host | None) -> None:
        service.start()
        service.wait()
    return heal


def _start_cinder(scene: Scene, host: lab_hosts.Host | None) -> None:
    cinder.start_api()
    cinder.wait_api()


def _start_database(scene: Scene, host: lab_hosts.Host | None) -> None:
    database.start()
    database.wait_ready()


def _start_messages(scene: Scene, host: lab_hosts.Host | None) -> None:
    messages.start()
    messages.wait_ready()


# A disk with less room than the server needs

def _fill_disk(scene: Scene, host: lab_hosts.Host) -> None:
    host.run(['mount', '-t', 'tmpfs', '-o', 'size=256k', 'tmpfs',
              layout.INSTANCES])


def _free_disk(scene: Scene, host: lab_hosts.Host) -> None:
    if host.run(['mountpoint', '-q', layout.INSTANCES / '.'],
                check=False).returncode == 0 and _is_tmpfs(host):
        host.run(['umount', layout.INSTANCES])


def _remount(how: str) -> Callable:
    def mount(scene: Scene, host: lab_hosts.Host) -> None:
        host.run(['mount', '-o', 'remount,bind,' + how, layout.INSTANCES])
    return mount


def _is_tmpfs(host: lab_hosts.Host) -> bool:
    mounts = pathlib.Path('/proc/%d/mounts' % host.init.pid).read_text()
    return any(line.split()[1:3] == [str(layout.INSTANCES), 'tmpfs']
               for line in mounts.splitlines())


INJECTORS: dict[str, Injector] = {
    'cut': Injector(_cut, _connect),
    'break': Injector(_break, _connect),
    **{case.filtering(treatment, stream): Injector(
        _filter(treatment, stream), _unfilter)
       for treatment in case.TREATMENTS for stream in case.STREAMS},
    'libvirt abort': Injector(
        lambda scene, host: scene.sampler.source.abort_post_copy()),
    'kill nova-compute': Injector(
        lambda scene, host: host.kill_compute(), _start_compute),
    'restart nova-compute': Injector(
        lambda scene, host: host.stop_compute(), _start_compute),
    'restart libvirtd': Injector(
        lambda scene, host: host.restart_libvirtd()),
    'kill QEMU': Injector(_qemu),
    'kill conductor': Injector(
        lambda scene, host: nova.CONDUCTOR.kill(),
        lambda scene, host: nova.start_conductor()),
    'stop RabbitMQ': Injector(
        lambda scene, host: messages.stop(), _start_messages),
    'stop database': Injector(
        lambda scene, host: database.stop(), _start_database),
    'kill placement': Injector(
        _kill_api('placement'), _start_api(placement)),
    'kill neutron': Injector(_kill_api('neutron'), _start_api(neutron)),
    'kill Cinder': Injector(_kill_api('cinder'), _start_cinder),
    'kill keystone': Injector(_kill_api('keystone'), _start_api(keystone)),
    'fill disk': Injector(_fill_disk, _free_disk),
    'read-only disk': Injector(_remount('ro'), _remount('rw')),
    'quiet guest': Injector(lambda scene, host: scene.pulse.tell('s')),
    'power off guest': Injector(lambda scene, host: scene.pulse.tell('o')),
    'reset guest': Injector(lambda scene, host: scene.pulse.tell('r')),
    'isolate management': Injector(
        lambda scene, host: network.connect(
            host.layout, 'management', False),
        lambda scene, host: network.connect(
            host.layout, 'management', True)),
    'give up': Injector(requests.give_up),
    'another server leaves': Injector(others.leave, others.delete),
    'isolate': Injector(
        lambda scene, host: host.isolate(True),
        lambda scene, host: host.isolate(False)),
    'mark down': Injector(
        lambda scene, host: requests.mark_down(scene, host, True),
        lambda scene, host: requests.mark_down(scene, host, False)),
    **{name: Injector(lambda scene, host, request=request:
                      requests.send(scene, request))
       for name, request in requests.REQUESTS.items()},
}
