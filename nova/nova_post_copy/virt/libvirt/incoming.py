# SPDX-License-Identifier: Apache-2.0

"""Break the dead stream of an incoming guest, on the destination.

When the network fails in post-copy, the source breaks its end of the stream,
but the destination does not notice: QEMU there waits until TCP gives up, and
refuses to resume ("migration is still running") for minutes after the network
is back, or for ever if the migration is resumed over another address. libvirt
cannot help, because an incoming migration blocks all other jobs of its domain.
So the kernel is asked to end the connection.
"""

import nova.conf
from nova import privsep

from nova_post_copy.virt.libvirt import connections

CONF = nova.conf.CONF

# Seconds without a byte. A live stream is never silent for so long, however
# slow: a stream that was resumed meanwhile must not be broken again.
DEAD_AFTER_S = 3.0
# Bytes that a stream which carries memory has received at least; a stream on
# which QEMU is about to resume has received some hundred (TLS: some thousand).
# QEMU before 8.2 exits, and the guest with it, when such a stream breaks; if
# left alone, QEMU resumes as soon as TCP gets through.
RESUMED_BYTES = 64 * 1024


def break_dead(uuid: str) -> int:
    """Break the dead streams of an incoming guest.

    :param uuid: of the instance
    :returns: how many were broken; 0 also where ss(8) is not installed or
        QEMU's processes cannot be seen
    """
    ports = CONF.post_copy.migration_ports
    return _break_dead(uuid, ports[0], ports[-1])


@privsep.sys_admin_pctxt.entrypoint
def _break_dead(uuid: str, first_port: int, last_port: int) -> int:
    dead = [connection for connection in connections.find()
            if first_port <= connection.local_port <= last_port
            and connection.silent >= DEAD_AFTER_S
            and connection.received >= RESUMED_BYTES
            and connection.is_of_qemu(uuid)]
    connections.end(dead)
    return len(dead)
