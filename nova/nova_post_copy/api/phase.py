# SPDX-License-Identifier: Apache-2.0

"""Where a live migration is, and how far.

Pure: what the records of the migration and of its server say, in the words
of our microversion. Nothing is stored for it.
"""

import enum

from nova import objects
from nova.objects import fields

from nova_post_copy.objects.migration import Status


class Phase(enum.StrEnum):
    SCHEDULING = 'scheduling'       #: a destination is being chosen
    QUEUED = 'queued'               #: waits for others on the source
    PREPARING = 'preparing'         #: nothing has been copied yet
    DISK = 'disk'                   #: local disks are copied
    PRE_COPY = 'pre-copy'           #: memory, while it runs on the source
    POST_COPY = 'post-copy'         #: memory, while it runs on the destination
    INTERRUPTED = 'interrupted'     #: so, and the stream is broken
    FINISHING = 'finishing'         #: everything has arrived


_COPYING = (Status.RUNNING, Status.RUNNING_POST_COPY)
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
    """Return where a migration is.

    :param instance: as it was right before the migration was read. Without it
        the end of a migration is seen a moment later.
    :returns: None when it is over, and of other than live migrations
    """
    if migration.migration_type != fields.MigrationType.LIVE_MIGRATION:
        return None
    if migration.status not in _COPYING:
        return _BY_STATUS.get(migration.status)
    # The destination takes the server over before the source records that the
    # migration is complete.
    if instance is not None and instance.host == migration.dest_compute:
        return Phase.FINISHING
    if migration.status == Status.RUNNING:
        # The disks are copied before the memory, and until QEMU copies memory
        # libvirt does not know how much there is.
        if migration.memory_total:
            return Phase.PRE_COPY
        return Phase.DISK if migration.disk_total else Phase.PREPARING
    # The source does not write to memory any more: zero is the end.
    complete = migration.memory_total and migration.memory_remaining == 0
    return Phase.FINISHING if complete else Phase.POST_COPY


def progress(migration: objects.Migration, instance: objects.Instance) -> int:
    """Return how much of a migration in progress is done, in per cent.

    :param instance: as it was right before the migration was read
    """
    phase = of(migration, instance)
    if phase in _BEFORE_COPYING:
        return 0
    # The destination sets the server's own back to 0.
    return 100 if phase is Phase.FINISHING else instance.progress or 0
