# SPDX-License-Identifier: Apache-2.0

"""Break the dead stream of an incoming guest, on the destination.

When the network fails in post-copy, the source breaks its end of the stream,
but the destination does not notice: QEMU there waits until TCP gives up, and
refuses to resume ("migration is still running") for minutes after the network
is back, or for ever if the migration is resumed over another address. libvirt
cannot help, because an incoming migration blocks all other jobs of its domain.
So the kernel is asked to end the connection.
"""

from collections.abc import Collection
from collections.abc import Sequence

from oslo_log import log as logging

from nova_post_copy.virt.libvirt import connections
from nova_post_copy.virt.libvirt.connections import Connection
from nova_post_copy.virt.libvirt import ports

LOG = logging.getLogger(__name__)

# Seconds without a byte. A live stream is never silent for so long, however
# slow: a stream that was resumed meanwhile must not be broken again.
DEAD_AFTER_S = 3.0
# Bytes that a stream which carries memory has received at least; a stream on
# which QEMU is about to resume has received some hundred (TLS: some thousand).
# QEMU before 8.2 exits, and the guest with it, when such a stream breaks; if
# left alone, QEMU resumes as soon as TCP gets through.
RESUMED_BYTES = 64 * 1024


def break_dead(uuid: str, sources: Collection[str] | None,
               others: Sequence[str]) -> int:
    """Break the dead streams of an incoming guest.

    :param uuid: of the instance
    :param sources: IP addresses of the source; None: an older source, which
        does not tell them
    :param others: uuids of the other guests that migrate to this host
    :returns: how many were broken; 0 also where ss(8) does not work
    """
    streams = ports.migration_ports()
    dead = [connection for connection in connections.find()
            if connection.local_port in streams
            and connection.silent >= DEAD_AFTER_S
            and connection.received >= RESUMED_BYTES
            # A disk of the same QEMU, in the network, may use such a port.
            and (sources is None or connection.peer_address in sources)]
    found = [connection for connection in dead
             if any(owner.guest == uuid for owner in connection.owners)]
    hidden = [connection for connection in dead if not connection.owners]
    if hidden and not found and sources is not None:
        found = _by_elimination(uuid, hidden, streams, others)
    connections.end(found)
    return len(found)


def _by_elimination(uuid: str, hidden: list[Connection], streams: range,
                    others: Sequence[str]) -> list[Connection]:
    """Return the streams of the only guest that migrates to this host.

    :param hidden: dead connections from the source whose processes cannot be
        seen, as in a container without the host's PID namespace
    """
    # The port of a service there: a connection that this host has made.
    from_source = [
        connection for connection in hidden
        if connection.peer_port in ports.ephemeral_ports()
        and connection.peer_port not in streams]
    if not from_source:
        return []
    # All connections of one stream have the port on which QEMU listened.
    if others or len({found.local_port for found in from_source}) > 1:
        LOG.info('Cannot tell the dead stream of instance %(uuid)s from other '
                 'connections (%(local)s), because nova-compute cannot see '
                 'the processes of this host. The migration is resumed when '
                 'TCP gives the stream up.',
                 {'uuid': uuid, 'local': ', '.join(
                     found.local for found in from_source)})
        return []
    return from_source
