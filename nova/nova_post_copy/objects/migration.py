# SPDX-License-Identifier: Apache-2.0

"""Migration object that carries ``post_copy`` from service to service.

An unset ``post_copy`` means that the request did not contain it: upstream's
behaviour.
"""

from collections.abc import Container
from collections.abc import Iterable
import enum
import typing

from nova import context as nova_context
from nova import objects
from nova.objects import fields
from nova.objects import migrate_data as upstream_data
from nova.objects import migration
from oslo_utils import versionutils


class Status(enum.StrEnum):
    """Status of a live migration: upstream's values and one of ours."""

    ACCEPTED = 'accepted'           #: a conductor is choosing the destination
    QUEUED = 'queued'               #: waits for other migrations on the source
    PREPARING = 'preparing'         #: the destination is being prepared
    RUNNING = 'running'             #: pre-copy
    RUNNING_POST_COPY = 'running (post-copy)'
    #: post-copy whose stream broke; ours
    INTERRUPTED_POST_COPY = 'interrupted (post-copy)'
    POST_MIGRATING = 'post-migrating'   #: done in libvirt, not in Nova
    COMPLETED = 'completed'
    CANCELLED = 'cancelled'
    ERROR = 'error'
    FAILED = 'failed'


#: The migration is over.
FINAL = (Status.COMPLETED, Status.CANCELLED, Status.ERROR, Status.FAILED)
# Not those that upstream's evacuation gives to a migration of any type.
_GOING_ON = tuple(status for status in Status if status not in FINAL)
#: The server runs on the destination, part of its memory is on the source.
SWITCHED = (Status.RUNNING_POST_COPY, Status.INTERRUPTED_POST_COPY)
#: Memory or disks are being copied.
COPYING = (Status.RUNNING, Status.RUNNING_POST_COPY)
#: libvirt may be moving the server. Before these statuses libvirt has not been
#: called, and the server is only on the source.
IN_LIBVIRT = (Status.RUNNING, *SWITCHED)
#: The server may be on either host, or on both with a part of its memory.
BETWEEN_HOSTS = (*IN_LIBVIRT, Status.POST_MIGRATING)
#: What ``/servers/{server_id}/migrations`` shows.
IN_PROGRESS = (Status.QUEUED, Status.PREPARING, *BETWEEN_HOSTS)


class Migration(migration.Migration):
    # A third component never collides with upstream's next version, and a peer
    # without nova-post-copy accepts the object as upstream's version, without
    # asking for a backport.
    VERSION = migration.Migration.VERSION + '.1'

    fields = {
        'post_copy': fields.BooleanField(nullable=True),
    }

    @staticmethod
    def _from_db_object(context, migration_obj, db_migration):
        # A row that was read before the column was added to the model lacks
        # the key.
        migration.Migration._from_db_object(
            context, migration_obj, {'post_copy': None, **db_migration})
        if 'post_copy' in migration_obj and migration_obj.post_copy is None:
            del migration_obj.post_copy
        return migration_obj

    def obj_make_compatible(self, primitive, target_version):
        super().obj_make_compatible(primitive, target_version)
        if (versionutils.convert_version_to_tuple(target_version) <
                versionutils.convert_version_to_tuple(self.VERSION)):
            primitive.pop('post_copy', None)


def requested(migration_obj: migration.Migration) -> bool | None:
    """Return the ``post_copy`` of the request.

    :returns: None when the request did not contain ``post_copy``, or when the
        object comes from a peer without nova-post-copy
    """
    return migration_obj.post_copy if 'post_copy' in migration_obj else None


def requested_by(
        migrate_data: upstream_data.LiveMigrateData | None
) -> bool | None:
    """Return the ``post_copy`` of the request behind ``migrate_data``.

    :returns: None also when ``migrate_data`` has no migration
    """
    if migrate_data is None or 'migration' not in migrate_data:
        return None
    return requested(migrate_data.migration)


def live_migrations(context: nova_context.RequestContext,
                    dest_compute: str | None = None,
                    **filters: typing.Any) -> list[objects.Migration]:
    """Return live migrations, as ``MigrationList.get_by_filters`` does.

    :param dest_compute: upstream ignores a filter of this name
    :param filters: such as ``instance_uuid``, ``source_compute``, ``status``
    """
    found = objects.MigrationList.get_by_filters(context, {
        'migration_type': fields.MigrationType.LIVE_MIGRATION, **filters})
    return [each for each in found
            if dest_compute in (None, each.dest_compute)]


def newest(migrations: Iterable[objects.Migration]
           ) -> objects.Migration | None:
    """Return the one that was asked for last; None of none."""
    return max(migrations, key=lambda each: each.id, default=None)


def unfinished(context: nova_context.RequestContext, instance_uuid: str,
               source: str | None = None,
               statuses: Container[str] | None = None,
               ) -> objects.Migration | None:
    """Return the unfinished live migration of a server with post-copy.

    :param source: host that the server leaves; None: any
    :param statuses: statuses that count; None: all but the final ones
    :returns: None when there is no such migration
    """
    filters = {} if source is None else {'source_compute': source}
    for found in live_migrations(
            context, instance_uuid=instance_uuid, **filters):
        counts = (found.status not in FINAL if statuses is None
                  else found.status in statuses)
        if counts and requested(found):
            return found
    return None


def other_unfinished(context: nova_context.RequestContext,
                     instance_uuid: str, source: str,
                     besides: int | None = None) -> objects.Migration | None:
    """Return an unfinished live migration of a server, whoever asked for it.

    Upstream's have no durable record, but move the same guest.

    :param source: the host of the server; what has left another one is
        history, and so is what is older than a migration that has completed
    :param besides: the id of a migration that does not count
    :returns: None when there is no such migration
    """
    rows = live_migrations(context, instance_uuid=instance_uuid)
    moved = max((row.id for row in rows if row.status == Status.COMPLETED),
                default=0)
    return next((row for row in rows if row.status in _GOING_ON and
                 row.id > moved and row.id != besides and
                 row.source_compute == source), None)


def between_hosts(context: nova_context.RequestContext,
                  instance_uuid: str) -> objects.Migration | None:
    """Return the migration by which a server may be on two hosts.

    Its status says so, whatever the task state of the server is: that can be
    reset by anybody with a script, and no copy stops for it.

    :returns: None where there is none, or the request did not ask for
        post-copy: only our migrations have a durable record, and so an end
    """
    return unfinished(context, instance_uuid, statuses=BETWEEN_HOSTS)
