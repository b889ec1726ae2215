# SPDX-License-Identifier: Apache-2.0

"""List and end TCP connections of this host with ss(8).

Used for dead connections that the kernel would keep open much longer. What is
listed and ended needs CAP_NET_ADMIN and the processes of other users, so it is
done in a privsep context; which connection is ended, is decided outside.
"""

from collections.abc import Collection
import ipaddress
import pathlib
import re
import typing

from oslo_concurrency import processutils
from oslo_log import log as logging

from nova import privsep

LOG = logging.getLogger(__name__)

# States in which TCP waits for a peer that may be gone.
_CONNECTIONS = ('ss', '--no-header', '--tcp', '--numeric', 'state',
                'established', 'state', 'syn-sent')
SYN_SENT = 'SYN-SENT'

# A Connection as it comes out of the privsep context.
_Fields = tuple[typing.Any, ...]


class Owner(typing.NamedTuple):
    program: str        #: name of the process
    guest: str          #: uuid of the instance; '': it is not a QEMU


class Connection(typing.NamedTuple):
    state: str          #: as ss(8) prints it
    local: str          #: address:port
    peer: str           #: address:port
    #: seconds since data was received
    silent: float
    #: bytes received
    received: int
    #: how often the same data was retransmitted without an answer
    retries: int
    #: empty where the processes cannot be seen
    owners: tuple[Owner, ...]

    @property
    def local_port(self) -> int:
        return int(self.local.rpartition(':')[2])

    @property
    def peer_port(self) -> int:
        return int(self.peer.rpartition(':')[2])

    @property
    def peer_address(self) -> str:
        return plain(self.peer.rpartition(':')[0].strip('[]'))


def plain(address: str) -> str:
    """Return an IP address without zone and IPv4-mapped prefix."""
    parsed = ipaddress.ip_address(address.partition('%')[0])
    return str(getattr(parsed, 'ipv4_mapped', None) or parsed)


def find() -> list[Connection]:
    """Return the connections that are established or being established.

    :returns: an empty list where ss(8) does not work
    """
    listed, error = _list()
    if error:
        LOG.warning('TCP connections of this host cannot be listed: %s',
                    error)
    return [Connection._make([*fields, tuple(Owner(*owner)
                                             for owner in owners)])
            for *fields, owners in listed]


def error() -> str:
    """Return why connections cannot be listed; '': they can."""
    return _list()[1]


def end(connections: Collection[Connection]) -> None:
    """End connections, so that both ends notice."""
    for local, peer, error in _end([(connection.local, connection.peer)
                                    for connection in connections]):
        LOG.warning('The connection from %(local)s to %(peer)s could not be '
                    'ended: %(error)s',
                    {'local': local, 'peer': peer, 'error': error})


@privsep.sys_admin_pctxt.entrypoint
def processes_are_visible(programs: Collection[str]) -> bool:
    """Tell whether a process of one of these programs can be seen.

    Not so in a container with a PID namespace of its own.
    """
    return any(_read(path).decode().strip() in programs
               for path in pathlib.Path('/proc').glob('[0-9]*/comm'))


@privsep.sys_admin_pctxt.entrypoint
def _list() -> tuple[list[_Fields], str]:
    """Return the fields of each connection, and what is wrong with ss(8)."""
    try:
        output, _errors = processutils.execute(
            *_CONNECTIONS, '--oneline', '--info', '--options', '--processes')
    except (OSError, processutils.ProcessExecutionError) as exc:
        return [], str(exc)
    return [_parse(line) for line in output.splitlines()], ''


@privsep.sys_admin_pctxt.entrypoint
def _end(pairs: list[tuple[str, str]]) -> list[tuple[str, str, str]]:
    """Return which connections could not be ended, and why."""
    failed = []
    for local, peer in pairs:
        try:
            processutils.execute(*_CONNECTIONS, '--kill', 'src', local,
                                 'dst', peer)
        except processutils.ProcessExecutionError as exc:
            failed.append((local, peer, str(exc)))
    return failed


def _parse(line: str) -> _Fields:
    state, _received, _sent, local, peer = line.split()[:5]
    return (
        state, local, peer,
        _number(r'\blastrcv:(\d+)', line) / 1000,
        _number(r'\bbytes_received:(\d+)', line),
        _number(r'\btimer:\(on,[^,]*,(\d+)\)', line),
        tuple((name, _guest(int(pid))) for name, pid in re.findall(
            r'\("([^"]*)",pid=(\d+)', line)))


def _number(pattern: str, line: str) -> int:
    found = re.search(pattern, line)
    # ss(8) omits zeros.
    return int(found[1]) if found else 0


def _guest(pid: int) -> str:
    """Return the uuid that a QEMU was started with; '': another program."""
    found = re.search(
        rb'\0-uuid\0([^\0]*)\0',
        _read(pathlib.Path('/proc/%d/cmdline' % pid)))
    return found[1].decode() if found else ''


def _read(path: pathlib.Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        # The process has ended.
        return b''
