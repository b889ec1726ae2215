# SPDX-License-Identifier: Apache-2.0

"""Break the dead stream of a guest that comes in, on the destination.

When the network goes away in post-copy the source breaks its own end of the
stream, but nothing of that reaches the destination: its QEMU waits until TCP
gives up, and refuses to be resumed ("migration is still running") for minutes
after the network is back, or for ever where it is resumed over another
address. libvirt cannot help, because a migration that comes in lets no other
job near its domain. So the kernel is asked to end the connection.
"""

import nova.conf
from nova import privsep

from nova_post_copy.virt.libvirt import connections

CONF = nova.conf.CONF

# Seconds without a byte. A stream that lives is never that quiet, not even
# at the slowest: what is resumed meanwhile must not be broken again.
DEAD_AFTER_S = 3.0
# Bytes that have come in on a stream which carries memory, and not on one by
# which QEMU is just about to resume (some hundred, and TLS some thousand).
# Before version 8.2 QEMU ends when it loses a stream then, and the guest with
# it; left alone, it resumes as soon as TCP gets through.
RESUMED_BYTES = 64 * 1024


def break_dead(uuid: str) -> int:
    """Break the dead streams of a guest that comes in.

    :param uuid: of the instance
    :returns: how many there were; 0 also where ss(8) is not installed or
        where the processes of QEMU cannot be seen
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
