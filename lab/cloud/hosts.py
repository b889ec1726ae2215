# SPDX-License-Identifier: Apache-2.0

"""Compute hosts: namespaces with a libvirtd of their own.

A host shares the kernel, the programs and the processors with this machine,
and has its own network interfaces, its own name and its own libvirt, with
directories to match. See :mod:`lab.cloud.host_init` for its first process.
"""

from __future__ import annotations

from collections.abc import Sequence
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import typing

import libvirt

from lab.cloud import network
from lab.cloud import process
from lab import errors
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import storage as storages

# The certificates are where libvirt and QEMU look by themselves. TCP without
# encryption remains for the lab itself, and for migrations without --tls.
_LIBVIRTD = '''\
listen_tls = 1
listen_tcp = 1
listen_addr = "0.0.0.0"
tcp_port = "16509"
auth_tcp = "none"
host_uuid = "%(uuid)s"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
'''

# QEMU runs as root without capabilities, which is unprivileged as far as
# userfaultfd is concerned. No labels, no cgroups, no further namespaces:
# whether the kernel at hand has them is none of the lab's business.
QEMU_CONF = '''\
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
cgroup_controllers = []
namespaces = []
migrate_tls_x509_verify = 1
'''

# libvirt prints each error by itself, also those that are expected.
libvirt.registerErrorHandler(lambda context, error: None, None)


# What enters a container that shares all but the processes with its host.
CONTAINER = ('unshare', '--pid', '--fork', '--kill-child', '--mount-proc')


class Host:
    """One compute host."""

    def __init__(self, host: layout.HostLayout,
                 storage: storages.Storage) -> None:
        self.layout = host
        self.name = host.name
        self.storage = storage
        self._instances = storage.directory or host.directory / 'instances'
        self.init = process.Process(host.name)
        self.compute = process.Process('nova-compute-' + host.name)

    @property
    def libvirt_uri(self) -> str:
        return 'qemu+tcp://%s/system' % self.layout.management

    def connect(self) -> libvirt.virConnect:
        """Open a libvirt connection to the host (a ``virConnect``)."""
        return libvirt.open(self.libvirt_uri)

    def connect_locally(self) -> libvirt.virConnect:
        """Open a libvirt connection that uses none of the networks."""
        # By the first process of the host, whose /run has the socket.
        return libvirt.open(
            'qemu+unix:///system?socket=/proc/%s/root/run/libvirt/'
            'libvirt-sock' % self.init.pid)

    def enter(self) -> list[str]:
        """Return the command that runs its arguments inside of the host."""
        pid = self.init.pid
        if pid is None:
            raise errors.LabError(
                '%s is not running; "lab up" starts it' % self.name)
        # --root: the lab may itself be in a chroot.
        return ['nsenter', '--target=%d' % pid, '--net', '--mount', '--uts',
                '--root', '--wdns=/']

    def run(self, command: Sequence[str | os.PathLike],
            **options) -> subprocess.CompletedProcess:
        """Run a command inside of the host, as ``subprocess.run`` does."""
        options.setdefault('check', True)
        options.setdefault('text', True)
        return subprocess.run([*self.enter(), *command], **options)

    def start(self) -> None:
        """Start the first process of the host and with it libvirt."""
        if self.init.is_alive():
            return
        directory = self.layout.directory
        configuration = directory / 'etc-libvirt'
        for path in (configuration, self._instances, layout.INSTANCES):
            path.mkdir(parents=True, exist_ok=True)
        for name, text in (('libvirtd.conf', _LIBVIRTD),
                           ('qemu.conf', QEMU_CONF), ('virtlogd.conf', ''),
                           ('libvirt.conf', '')):
            (configuration / name).write_text(
                text % {'uuid': self.layout.uuid})
        self._write_etc()
        # libvirt waits for whoever still holds the old sockets.
        shutil.rmtree(directory / 'run', ignore_errors=True)
        self.init.start(
            [sys.executable, '-S', '-E',
             pathlib.Path(__file__).with_name('host_init.py'), self.name,
             directory, layout.INSTANCES, self._instances,
             'shared' if self.storage.directory else 'own'],
            enter=['nsenter', '--net=/run/netns/' + self.layout.namespace,
                   'unshare', '--mount', '--uts',
                   '--propagation=private'])

    def wait(self) -> None:
        """Wait until libvirt answers."""
        def answers() -> bool:
            try:
                connection = self.connect()
            except libvirt.libvirtError:
                return False
            connection.getCapabilities()
            connection.close()
            return True

        wait.until(answers, 'answer of libvirt on ' + self.name, 60,
                   self.init.log, alive=self.init.is_alive)

    def start_compute(self, container: Sequence[str] = ()) -> None:
        """Start nova-compute on the host, unless it runs.

        :param container: :data:`CONTAINER`, or nothing
        """
        self.compute.start(
            [layout.BIN / 'nova-compute', '--config-file',
             layout.CONFIG / 'nova' / ('compute-%s.conf' % self.name)],
            enter=[*self.enter(), *container])

    def stop_compute(self) -> None:
        """End nova-compute as an operator does: SIGTERM and patience."""
        self.compute.end(grace=20)

    def kill_compute(self) -> None:
        """End nova-compute as a crash does."""
        self.compute.kill()

    def restart_compute(self) -> None:
        """Stop and start nova-compute; does not wait for it to be up."""
        self.stop_compute()
        self.start_compute()

    def restart_libvirtd(self) -> None:
        """End libvirtd as a crash does; return when it answers again.

        The host's first process starts it anew.
        """
        for pid in network.pids(self.layout.namespace):
            if process.program(pid) == 'libvirtd':
                os.kill(pid, signal.SIGKILL)
                wait.until(lambda: not process.is_running(pid),
                           'end of libvirtd on ' + self.name, 10)
        self.wait()

    def connect_migration_network(self) -> None:
        """Plug the cable of the migration network in again."""
        network.connect(self.layout, 'migration', True)

    def cut_migration_network(self) -> None:
        """Pull the cable of the migration network."""
        network.connect(self.layout, 'migration', False)

    def limit_migration_network(self, bandwidth: int) -> None:
        """Limit what leaves on the migration network, in bytes/s."""
        network.limit_migration(self.layout, bandwidth)

    def isolate(self, isolated: bool) -> None:
        """Pull or plug the cables of all networks but the servers' own."""
        for name in ('management', 'migration', 'recovery'):
            network.connect(self.layout, name, not isolated)

    def domains(self) -> dict[str, int]:
        """Return uuid and libvirt state of every domain on the host."""
        connection = self.connect()
        found = {}
        try:
            for domain in connection.listAllDomains():
                try:
                    found[domain.UUIDString()] = domain.state()[0]
                except libvirt.libvirtError as exc:
                    # It ended, or left, since the list was made.
                    if exc.get_error_code() != libvirt.VIR_ERR_NO_DOMAIN:
                        raise
        finally:
            connection.close()
        return found

    def disk(self, server: str) -> pathlib.Path:
        """Return the directory that a server has on the host, if it is there.

        :param server: uuid
        """
        return self._instances / server

    def disks(self) -> list[pathlib.Path]:
        """Return the directories of all servers that are on the host."""
        return list(self._instances.glob('*-*-*-*-*'))

    def stop(self) -> None:
        """End everything on the host."""
        self.compute.end(grace=2)
        process.end_all_in(lambda: network.pids(self.layout.namespace))
        self.init.end(0)

    def _write_etc(self) -> None:
        """Write the files of the host's own /etc."""
        etc = self.layout.directory / 'etc'
        etc.mkdir(exist_ok=True)
        # Each host must know both names, or every step waits for DNS.
        (etc / 'hosts').write_text(''.join(
            '%s %s\n' % line for line in [
                ('127.0.0.1', 'localhost'),
                *((host.management, host.name) for host in layout.HOSTS)]))
        # libvirt looks its default user up even when qemu.conf names
        # another; the distribution makes it along with a running service.
        for name, line in (
                ('passwd', 'libvirt-qemu:x:64055:64055::/:/bin/false\n'),
                ('group', 'libvirt-qemu:x:64055:\n')):
            text = pathlib.Path('/etc', name).read_text()
            if 'libvirt-qemu:' not in text:
                text += line
            (etc / name).write_text(text)
