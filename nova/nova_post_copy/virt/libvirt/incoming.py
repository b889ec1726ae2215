# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""Break the dead stream of a guest that comes in, on the destination.

When the network goes away in post-copy the source breaks its own end of the
stream, but nothing of that reaches the destination: its QEMU waits until TCP
gives up, and refuses to be resumed ("migration is still running") for minutes
after the network is back, or for ever where it is resumed over another
address. libvirt cannot help, because a migration that comes in lets no other
job near its domain. So the kernel is asked to end the connection.
"""

from collections.abc import Iterator
import pathlib
import re
import typing

from oslo_concurrency import processutils
from oslo_log import log as logging

from nova import privsep

LOG = logging.getLogger(__name__)

# Where libvirt puts migrations (migration_port_min and _max in qemu.conf).
# With other ports nothing is found here, and TCP decides.
PORTS = range(49152, 49216)
# Seconds without a byte. A stream that lives is never that quiet, not even
# at the slowest: what is resumed meanwhile must not be broken again.
DEAD_AFTER = 3.0

_ESTABLISHED = ('ss', '--no-header', '--tcp', '--numeric', 'state',
                'established')


class Stream(typing.NamedTuple):
    """A TCP connection of this host, as ss(8) shows it."""

    local: str          #: address:port
    peer: str           #: address:port
    idle: float         #: seconds since something came in
    pids: tuple[int, ...]   #: whose it is

    @property
    def port(self) -> int:
        return int(self.local.rpartition(':')[2])


@privsep.sys_admin_pctxt.entrypoint
def break_dead(uuid: str) -> int:
    """Break the dead streams of a guest that comes in.

    :param uuid: of the instance
    :returns: how many there were; 0 also where ss(8) is not installed or
        where the processes of QEMU cannot be seen
    """
    try:
        output, _errors = processutils.execute(
            *_ESTABLISHED, '--oneline', '--info', '--processes')
    except (OSError, processutils.ProcessExecutionError) as exc:
        LOG.warning('The connections of this host cannot be listed: %s', exc)
        return 0
    dead = [stream for stream in parse(output)
            if stream.port in PORTS and stream.idle >= DEAD_AFTER
            and any(_is_qemu_of(pid, uuid) for pid in stream.pids)]
    for stream in dead:
        processutils.execute(*_ESTABLISHED, '--kill', 'src', stream.local,
                             'dst', stream.peer)
    return len(dead)


def parse(output: str) -> Iterator[Stream]:
    """Read what ss(8) prints with --oneline --info --processes."""
    for line in output.splitlines():
        fields = line.split()
        idle = re.search(r'\blastrcv:(\d+)', line)
        yield Stream(
            local=fields[2], peer=fields[3],
            # It is left out when it is zero.
            idle=int(idle[1]) / 1000 if idle else 0.0,
            pids=tuple(map(int, re.findall(r'\bpid=(\d+)', line))))


def _is_qemu_of(pid: int, uuid: str) -> bool:
    try:
        command = pathlib.Path('/proc/%d/cmdline' % pid).read_bytes()
    except OSError:
        return False
    return b'\0-uuid\0%s\0' % uuid.encode() in command
