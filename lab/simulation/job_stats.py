# SPDX-License-Identifier: Apache-2.0

"""The statistics of a migration job, as the libvirt of its source has them."""

from nova.tests.fixtures import libvirt as fake

from lab.simulation import guest
from lab.simulation import model
from lab.simulation import names


def of(migration: model.Migration, link: guest.Link) -> dict:
    """Return what virDomainGetJobStats returns of an outgoing migration."""
    stats = {
        'type': fake.VIR_DOMAIN_JOB_UNBOUNDED,
        'operation': names.VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT,
        'time_elapsed': int(migration.elapsed * 1000),
    }
    if migration.phase is guest.Phase.SETUP:
        return stats
    amounts = {
        'total': migration.guest.memory,
        'processed': round(migration.sent),
        'remaining': round(migration.remaining),
    }
    for kind in ('data', 'memory'):
        stats |= {'%s_%s' % (kind, name): amount
                  for name, amount in amounts.items()}
    # Before the guest was suspended: the downtime that QEMU expects.
    downtime = (migration.downtime if migration.suspended or migration.downtime
                else migration.remaining / link.bandwidth)
    return stats | {
        'downtime': int(downtime * 1000),
        'setup_time': int(link.setup * 1000),
        'memory_bps': int(link.bandwidth),
        'memory_constant': 0,
        'memory_normal': int(migration.sent) // guest.PAGE_BYTES,
        'memory_normal_bytes': int(migration.sent),
        'memory_dirty_rate': int(migration.dirty_rate) // guest.PAGE_BYTES,
        'memory_page_size': guest.PAGE_BYTES,
        'memory_iteration': migration.iteration,
        'memory_postcopy_requests': int(migration.missed),
    }
