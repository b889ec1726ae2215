# SPDX-License-Identifier: Apache-2.0

"""Statistics of a migration, as libvirt reports them."""

import typing

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

from nova.virt.libvirt import guest as libvirt_guest


class Statistics(typing.NamedTuple):
    """Statistics in bytes and seconds, named as Nova names its subset."""

    memory_total: int
    memory_processed: int   #: sent, including pages that were sent again
    memory_remaining: int   #: that this pass still has to send
    memory_visited: int     #: sent, or found to be zeros, over and over
    memory_iteration: int   #: how often dirty pages were collected
    memory_bps: int         #: current bandwidth (bytes/s)
    disk_total: int
    disk_processed: int
    disk_remaining: int
    page_requests: int      #: pages that the guest had to wait for
    elapsed: float          #: since the migration started
    downtime: float         #: of the guest, at the switch-over


# What QEMU says of something that it does not know, such as the downtime
# before the bandwidth: the largest number, in either of its types.
_NO_FIGURE = (1 << 63) - 1


def read(stats: dict[str, typing.Any]) -> Statistics:
    """Convert libvirt's statistics of a job; missing values become 0."""
    def amount(name: str) -> int:
        found = stats.get(getattr(libvirt, 'VIR_DOMAIN_JOB_' + name), 0)
        return found if found < _NO_FIGURE else 0

    pages = amount('MEMORY_CONSTANT') + amount('MEMORY_NORMAL')
    return Statistics(
        memory_total=amount('MEMORY_TOTAL'),
        memory_processed=amount('MEMORY_PROCESSED'),
        memory_remaining=amount('MEMORY_REMAINING'),
        memory_visited=(pages * amount('MEMORY_PAGE_SIZE') or
                        amount('MEMORY_PROCESSED')),
        memory_iteration=amount('MEMORY_ITERATION'),
        memory_bps=amount('MEMORY_BPS'),
        disk_total=amount('DISK_TOTAL'),
        disk_processed=amount('DISK_PROCESSED'),
        disk_remaining=amount('DISK_REMAINING'),
        page_requests=amount('MEMORY_POSTCOPY_REQS'),
        elapsed=amount('TIME_ELAPSED') / 1000,
        downtime=amount('DOWNTIME') / 1000)


def running(guest: libvirt_guest.Guest) -> Statistics | None:
    """Return the statistics of the migration; None: no job is running.

    :raises libvirt.libvirtError: libvirt does not answer or is busy
    """
    stats = guest._domain.jobStats()
    if stats['type'] != libvirt.VIR_DOMAIN_JOB_UNBOUNDED:
        return None
    return read(stats)
