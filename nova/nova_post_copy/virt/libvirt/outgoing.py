# SPDX-License-Identifier: Apache-2.0

"""End the calls in which libvirt waits for a destination, on the source.

In post-copy libvirt waits for the destination's libvirt to say that the guest
is complete. When the network silently drops everything, it hears neither that
nor of the broken stream, and waits until its keepalive ends the connection:
half a minute, for which nobody can resume the migration ("being actively
monitored by another thread"). A call that resumes is caught in the same way,
when the network goes away once more. So the kernel is asked to end such a
connection, as soon as TCP itself has been without an answer for a while.
"""

import socket

import nova.conf
from nova import privsep

from nova_post_copy.virt.libvirt import connections

CONF = nova.conf.CONF

# Who connects to the destination: the one daemon, or that of QEMU. With SSH
# it is neither, and libvirt's keepalive has to do.
DAEMONS = ('libvirtd', 'virtqemud')
# Seconds without a byte, and times that TCP has sent the same again. While
# nothing else is said libvirt asks for a sign of life every 5 s, so of a
# connection that lives both are not true for long.
DEAD_AFTER_S = 3.0
DEAD_RETRIES = 3


def end_dead(host: str, port: int) -> int:
    """End what this host's libvirt waits for of another one.

    To which migration a connection belongs cannot be seen: it is for the
    caller to know that all of them may go.

    :param host: where the other libvirt listens, a name or an address
    :returns: how many there were; 0 also where ss(8) is not installed or
        where libvirt's process cannot be seen
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        return 0
    streams = CONF.post_copy.migration_ports
    return _end_dead(sorted({entry[4][0] for entry in found}), port,
                     streams[0], streams[-1])


@privsep.sys_admin_pctxt.entrypoint
def _end_dead(addresses: list[str], port: int, first_stream: int,
              last_stream: int) -> int:
    dead = [connection for connection in connections.find()
            # libvirt connects QEMU's stream, too, before it hands it over.
            if (connection.peer_port == port or
                first_stream <= connection.peer_port <= last_stream)
            and connection.peer_address in addresses
            and connection.silent >= DEAD_AFTER_S
            and connection.retries >= DEAD_RETRIES
            and any(name in DAEMONS for name, _pid in connection.owners)]
    connections.end(dead)
    return len(dead)
