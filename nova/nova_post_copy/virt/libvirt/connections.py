# SPDX-License-Identifier: Apache-2.0

"""List and end TCP connections of this host with ss(8).

Used for dead connections that the kernel would keep open much longer. Needs
CAP_NET_ADMIN, so callers run in a privsep context.
"""

import pathlib
import re
import typing

from oslo_concurrency import processutils
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

# States in which TCP waits for a peer that may be gone.
_CONNECTIONS = ('ss', '--no-header', '--tcp', '--numeric', 'state',
                'established', 'state', 'syn-sent')


class Connection(typing.NamedTuple):
    local: str          #: address:port
    peer: str           #: address:port
    #: seconds since data was received
    silent: float
    #: bytes received
    received: int
    #: how often the same data was retransmitted without an answer
    retries: int
    #: name and pid of its processes; empty where they cannot be seen
    owners: tuple[tuple[str, int], ...]

    @property
    def local_port(self) -> int:
        return int(self.local.rpartition(':')[2])

    @property
    def peer_port(self) -> int:
        return int(self.peer.rpartition(':')[2])

    @property
    def peer_address(self) -> str:
        """Address without zone and IPv4-mapped prefix."""
        address = self.peer.rpartition(':')[0].strip('[]').partition('%')[0]
        return address.removeprefix('::ffff:')

    def is_of_qemu(self, uuid: str) -> bool:
        """Tell whether the QEMU of an instance owns the connection."""
        return any(b'\0-uuid\0%s\0' % uuid.encode() in _command(pid)
                   for _name, pid in self.owners)


def find() -> list[Connection]:
    """Return the connections that are established or being established.

    :returns: an empty list where ss(8) is not installed
    """
    try:
        output, _errors = processutils.execute(
            *_CONNECTIONS, '--oneline', '--info', '--options', '--processes')
    except (OSError, processutils.ProcessExecutionError) as exc:
        LOG.warning('TCP connections of this host cannot be listed: %s', exc)
        return []
    return [_parse(line) for line in output.splitlines()]


def end(connections: list[Connection]) -> None:
    """End connections, so that both ends notice."""
    for connection in connections:
        try:
            processutils.execute(*_CONNECTIONS, '--kill', 'src',
                                 connection.local, 'dst', connection.peer)
        except processutils.ProcessExecutionError as exc:
            LOG.warning('The connection from %(local)s to %(peer)s could not '
                        'be ended: %(error)s', {
                            'local': connection.local,
                            'peer': connection.peer, 'error': exc})


def _parse(line: str) -> Connection:
    _state, _received, _sent, local, peer = line.split()[:5]
    return Connection(
        local, peer,
        silent=_number(r'\blastrcv:(\d+)', line) / 1000,
        received=_number(r'\bbytes_received:(\d+)', line),
        retries=_number(r'\btimer:\(on,[^,]*,(\d+)\)', line),
        owners=tuple((name, int(pid)) for name, pid in re.findall(
            r'\("([^"]*)",pid=(\d+)', line)))


def _number(pattern: str, line: str) -> int:
    found = re.search(pattern, line)
    # ss(8) omits zeros.
    return int(found[1]) if found else 0


def _command(pid: int) -> bytes:
    try:
        return pathlib.Path('/proc/%d/cmdline' % pid).read_bytes()
    except OSError:
        return b''
