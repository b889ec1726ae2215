# SPDX-License-Identifier: Apache-2.0

"""Phase and progress of a live migration, as our microversion shows them.

Pure functions of the migration and its server; nothing else is stored.
"""

import enum

from nova import objects
from nova.objects import fields

from nova_post_copy.objects.migration import COPYING
from nova_post_copy.objects.migration import Status


class Phase(enum.StrEnum):
    SCHEDULING = 'scheduling'       #: a destination is being chosen
    QUEUED = 'queued'               #: waits for others on the source
    PREPARING = 'preparing'         #: nothing has been copied yet
    DISK = 'disk'                   #: local disks are copied
    PRE_COPY = 'pre-copy'           #: memory; the server runs on the source
    POST_COPY = 'post-copy'         #: memory; it runs on the destination
    INTERRUPTED = 'interrupted'     #: post-copy whose stream is broken
    FINISHING = 'finishing'         #: everything has arrived


_BY_STATUS = {
    Status.ACCEPTED: Phase.SCHEDULING,
    Status.QUEUED: Phase.QUEUED,
    Status.PREPARING: Phase.PREPARING,
    Status.INTERRUPTED_POST_COPY: Phase.INTERRUPTED,
    Status.POST_MIGRATING: Phase.FINISHING,
}
_BEFORE_COPYING = (Phase.SCHEDULING, Phase.QUEUED, Phase.PREPARING)


def of(migration: objects.Migration,
       instance: objects.Instance | None = None) -> Phase | None:
    """Return the phase of a migration.

    :param instance: as read right before the migration; without it,
        ``finishing`` is reported a moment later
    :returns: None for a migration that is over or no live migration
    """
    if migration.migration_type != fields.MigrationType.LIVE_MIGRATION:
        return None
    if migration.status not in COPYING:
        return _BY_STATUS.get(migration.status)
    # The destination takes the server over before the source records that the
    # migration is complete.
    if instance is not None and instance.host == migration.dest_compute:
        return Phase.FINISHING
    if migration.status == Status.RUNNING:
        # Disks are copied before memory, and until QEMU copies memory libvirt
        # does not know how much there is.
        if migration.memory_total:
            return Phase.PRE_COPY
        return Phase.DISK if migration.disk_total else Phase.PREPARING
    # Nothing dirties memory on the source any more, so 0 is final.
    complete = migration.memory_total and migration.memory_remaining == 0
    return Phase.FINISHING if complete else Phase.POST_COPY


def progress(migration: objects.Migration, instance: objects.Instance) -> int:
    """Return how much of a migration in progress is done (0 to 100 per cent).

    :param instance: as read right before the migration
    """
    phase = of(migration, instance)
    if phase in _BEFORE_COPYING:
        return 0
    # The destination resets the server's own progress to 0.
    return 100 if phase is Phase.FINISHING else instance.progress or 0
