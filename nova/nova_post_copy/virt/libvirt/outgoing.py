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

from collections.abc import Iterable
import socket

from nova_post_copy.virt.libvirt import connections
from nova_post_copy.virt.libvirt.connections import Connection
from nova_post_copy.virt.libvirt import ports

# Processes that connect to the destination: the monolithic or the QEMU daemon.
# With SSH another process connects, and only libvirt's keepalive helps.
DAEMONS = ('libvirtd', 'virtqemud')
_SSH_PORT = 22
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
    :returns: how many were ended; 0 also where ss(8) does not work
    """
    addresses = _addresses(host)
    streams = ports.migration_ports()
    dead = [connection for connection in connections.find()
            # libvirt also connects the stream, before QEMU takes it over.
            if (connection.peer_port == port
                or connection.peer_port in streams)
            and connection.peer_address in addresses
            and connection.silent >= DEAD_AFTER_S
            and connection.retries >= DEAD_RETRIES
            and _is_of_libvirt(connection, port)]
    connections.end(dead)
    return len(dead)


def own_addresses(hosts: Iterable[str]) -> list[str]:
    """Return the IP addresses from which this host connects to others.

    :param hosts: their names or addresses; one that is not known is left out
    """
    found = set()
    for host in hosts:
        for address in _addresses(host):
            family = socket.AF_INET6 if ':' in address else socket.AF_INET
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                try:
                    # Sends nothing: the kernel only chooses the address.
                    probe.connect((address, _SSH_PORT))
                except OSError:
                    continue
                found.add(connections.plain(probe.getsockname()[0]))
    return sorted(found)


def _addresses(host: str) -> set[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        return set()
    return {connections.plain(str(entry[4][0])) for entry in found}


def _is_of_libvirt(connection: Connection, port: int) -> bool:
    if connection.owners:
        return any(owner.program in DAEMONS for owner in connection.owners)
    # The processes cannot be seen, as in a container without the host's PID
    # namespace. QEMU's own stream is established; a dead session of SSH may
    # be anybody's.
    if connection.peer_port == port:
        return port != _SSH_PORT
    return connection.state == connections.SYN_SENT
