# SPDX-License-Identifier: Apache-2.0

"""Connections of a host that exist only as lines of ss(8)."""

import pathlib
import subprocess
import sys

import fixtures
from nova.tests import fixtures as nova_fixtures

CUBIC = 'cubic wscale:10,10 rto:228 rtt:0.04/0.02 mss:1448 '


def line(local: str, peer: str, users: str = '', timer: str = '',
         info: str = '', state: str = 'ESTAB') -> str:
    """Return what ss prints of a connection, with all that we ask for."""
    return ' '.join(filter(None, [
        state, '0     96', local, peer, users and 'users:(%s)' % users,
        timer and 'timer:(%s)' % timer, CUBIC, info])) + '\n'


def user(name: str, pid: int) -> str:
    return '("%s",pid=%d,fd=20)' % (name, pid)


class Sockets(fixtures.Fixture):
    """Takes the place of ss(8), and of libvirt's qemu.conf."""

    def _setUp(self) -> None:
        self.qemu_conf = pathlib.Path(
            self.useFixture(fixtures.TempDir()).join('qemu.conf'))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.ports._QEMU_CONF', self.qemu_conf))
        self.useFixture(nova_fixtures.PrivsepFixture())
        self.lines = ''
        self.ended: list[tuple[str, str]] = []
        self.errors: dict[bool, Exception] = {}     # by whether it is --kill
        self.useFixture(fixtures.MonkeyPatch(
            'oslo_concurrency.processutils.execute', self._execute))

    def _execute(self, *command: str) -> tuple[str, str]:
        kill = '--kill' in command
        if kill in self.errors:
            raise self.errors[kill]
        if not kill:
            return self.lines, ''
        self.ended.append((command[command.index('src') + 1],
                           command[command.index('dst') + 1]))
        return '', ''


class Process(fixtures.Fixture):
    """A process with the arguments of a server's QEMU."""

    def __init__(self, uuid: str) -> None:
        self._uuid = uuid

    def _setUp(self) -> None:
        process = subprocess.Popen(
            [sys.executable, '-c', 'print(flush=True); open(0).read()',
             '-uuid', self._uuid, '-display'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        process.stdout.readline()   # the kernel shows its arguments
        self.pid = process.pid
