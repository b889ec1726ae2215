# SPDX-License-Identifier: Apache-2.0

"""End calls in which libvirt waits for a dead destination, on the source.

In post-copy libvirt waits for the destination's libvirt to report that the
guest is complete. When the network silently drops packets, libvirt on the
source learns neither that nor of the broken stream, and waits until its
keepalive ends the connection. For that half minute the migration cannot be
resumed ("being actively monitored by another thread"). A call that resumes
hangs in the same way when the network fails again. So the kernel is asked to
end such a connection once TCP has had no answer for a while.
"""

import socket

import nova.conf
from nova import privsep

from nova_post_copy.virt.libvirt import connections

CONF = nova.conf.CONF

# Processes that connect to the destination: the monolithic or the QEMU daemon.
# With SSH another process connects, and only libvirt's keepalive helps.
DAEMONS = ('libvirtd', 'virtqemud')
# Seconds without a byte, and number of TCP retransmissions. libvirt sends a
# keepalive every 5 s on an idle connection, so a live connection does not meet
# both conditions for long.
DEAD_AFTER_S = 3.0
DEAD_RETRIES = 3


def end_dead(host: str, port: int) -> int:
    """End dead connections of this host's libvirt to another libvirt.

    A connection does not show to which migration it belongs: the caller must
    know that all of them may be ended.

    :param host: name or address on which the other libvirt listens
    :param port: of the other libvirt
    :returns: how many were ended; 0 also where ss(8) is not installed or
        libvirt's process cannot be seen
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
            # libvirt also connects the stream, before QEMU takes it over.
            if (connection.peer_port == port or
                first_stream <= connection.peer_port <= last_stream)
            and connection.peer_address in addresses
            and connection.silent >= DEAD_AFTER_S
            and connection.retries >= DEAD_RETRIES
            and any(name in DAEMONS for name, _pid in connection.owners)]
    connections.end(dead)
    return len(dead)
