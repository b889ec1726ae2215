# SPDX-License-Identifier: Apache-2.0

"""Two libvirts of one generation, each in namespaces of its own."""

from collections.abc import Iterator
import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import typing

import libvirt

from lab.cloud import hosts as lab_hosts
from lab.cloud import network
from lab import errors
from lab import layout
from lab import wait

NAMES = ('gen-a', 'gen-b')
_ADDRESS = '198.18.94.%d'
#: Of the link between them: what a busy machine can carry evenly.
BANDWIDTH_BYTES_PER_S = 40 * layout.MIB
#: Where a host has the guest's disk.
DISK = '/var/lib/libvirt/images/guest.raw'

_LIBVIRTD = '''\
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
host_uuid = "6e6f7661-0001-4000-8000-%(number)012d"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
'''
# What a host has for itself; the rest of the root it shares.
_OWN = ('/etc/libvirt', '/var/lib/libvirt', '/var/cache/libvirt',
        '/var/log/libvirt', '/run')
_FILES = ('/etc/hosts', '/etc/passwd', '/etc/group')
# $1: root, $2: the host's directory, $3: its name
_START = '''\
set -e
test "$1" = / || {
    mount --bind "$1" "$1"
    mount -t proc proc "$1/proc"
    mount -t sysfs sysfs "$1/sys"
    mount --rbind /dev "$1/dev"
}
for path in %s; do
    mount --bind "$2$path" "$1$path"
done
for file in %s; do
    mount --bind "$2$file" "$1$file"
done
hostname "$3"
chroot "$1" /usr/sbin/virtlogd --daemon
exec chroot "$1" /usr/sbin/libvirtd --listen
''' % (' '.join(_OWN), ' '.join(_FILES))


class Host(typing.NamedTuple):
    name: str
    address: str
    directory: pathlib.Path

    def connect(self) -> libvirt.virConnect:
        """Open a connection that uses none of the networks."""
        return libvirt.open('qemu+unix:///system?socket=%s' % (
            self.directory / 'run/libvirt/libvirt-sock'))

    @property
    def disk(self) -> pathlib.Path:
        return self.directory / DISK.strip('/')


@contextlib.contextmanager
def two(root: pathlib.Path) -> Iterator[tuple[Host, Host]]:
    """Start two hosts whose programs are those of a directory.

    :param root: ``/``, or a directory to chroot(1) to; is not changed
    """
    if any(pathlib.Path('/run/netns', name).exists() for name in NAMES):
        raise errors.LabError('somebody records already: there are network '
                              'namespaces %s' % ', '.join(NAMES))
    with tempfile.TemporaryDirectory(prefix='gen-') as folder:
        hosts = [Host(name, _ADDRESS % number, pathlib.Path(folder, name))
                 for number, name in enumerate(NAMES, start=1)]
        try:
            _connect(hosts)
            for number, host in enumerate(hosts, start=1):
                _start(root, host, number)
            for host in hosts:
                wait.until(lambda host=host: _answers(host),
                           'answer of libvirt on ' + host.name, 60,
                           host.directory / 'log')
            yield hosts[0], hosts[1]
        finally:
            for host in hosts:
                for pid in network.pids(host.name):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                wait.until(lambda host=host: not network.pids(host.name),
                           'end of the processes of ' + host.name, 10)
                network.ip('netns', 'delete', host.name, check=False)


def _connect(hosts: list[Host]) -> None:
    for host in hosts:
        network.ip('netns', 'add', host.name)
    network.ip('link', 'add', 'cable', 'netns', NAMES[0], 'type', 'veth',
               'peer', 'name', 'cable', 'netns', NAMES[1])
    for host in hosts:
        network.ip(namespace=host.name, batch=[
            'address add %s/24 dev cable' % host.address,
            'link set cable up', 'link set lo up'])
        subprocess.run(
            ['tc', '-netns', host.name, 'qdisc', 'add', 'dev', 'cable', 'root',
             'tbf', 'rate', '%dbps' % BANDWIDTH_BYTES_PER_S, 'burst',
             str(BANDWIDTH_BYTES_PER_S // 50), 'latency', '50ms'],
            check=True)


def _start(root: pathlib.Path, host: Host, number: int) -> None:
    for path in _OWN:
        (host.directory / path.strip('/')).mkdir(parents=True)
    configuration = host.directory / 'etc/libvirt'
    shutil.copytree(root / 'etc/libvirt', configuration, dirs_exist_ok=True)
    for name, text in (('libvirtd.conf', _LIBVIRTD),
                       ('qemu.conf', lab_hosts.QEMU_CONF)):
        (configuration / name).write_text(text % {'number': number})
    (host.directory / 'run/lock').mkdir()
    host.disk.parent.mkdir()
    (host.directory / 'etc/hosts').write_text(
        '127.0.0.1 localhost\n' + ''.join(
            '%s %s\n' % (_ADDRESS % other, name)
            for other, name in enumerate(NAMES, start=1)))
    # libvirt looks its default user up even when qemu.conf names another.
    for name, line in (
            ('passwd', 'libvirt-qemu:x:64055:64055::/:/bin/false\n'),
            ('group', 'libvirt-qemu:x:64055:\n')):
        text = (root / 'etc' / name).read_text()
        (host.directory / 'etc' / name).write_text(
            text if 'libvirt-qemu:' in text else text + line)
    with open(host.directory / 'log', 'wb') as log:
        subprocess.Popen(
            ['nsenter', '--net=/run/netns/' + host.name, 'unshare', '--mount',
             '--uts', '--propagation=private', 'bash', '-c', _START, 'bash',
             str(root), str(host.directory), host.name],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True)


def _answers(host: Host) -> bool:
    try:
        connection = host.connect()
        try:
            # QEMU's version is known once it has been looked at.
            return bool(connection.getVersion())
        finally:
            connection.close()
    except libvirt.libvirtError:
        return False
