# SPDX-License-Identifier: Apache-2.0

"""The Migration object, on which the request travels from stop to stop.

A ``post_copy`` that is not set means that nobody asked: upstream's behaviour.
"""

from collections.abc import Container
import enum

from nova import context as nova_context
from nova import objects
from nova.objects import fields
from nova.objects import migrate_data as upstream_data
from nova.objects import migration
from oslo_utils import versionutils


class Status(enum.StrEnum):
    """The status of a live migration: upstream's, and one of ours."""

    ACCEPTED = 'accepted'           #: a conductor chooses the destination
    QUEUED = 'queued'               #: waits for others on the source
    PREPARING = 'preparing'         #: the destination is being prepared
    RUNNING = 'running'             #: pre-copy
    RUNNING_POST_COPY = 'running (post-copy)'
    #: post-copy whose stream of memory broke; ours
    INTERRUPTED_POST_COPY = 'interrupted (post-copy)'
    POST_MIGRATING = 'post-migrating'   #: libvirt is done, Nova is not
    COMPLETED = 'completed'
    CANCELLED = 'cancelled'
    ERROR = 'error'
    FAILED = 'failed'


#: The migration is over.
FINAL = (Status.COMPLETED, Status.CANCELLED, Status.ERROR, Status.FAILED)
#: The server runs on the destination, and memory of it is on the source.
SWITCHED = (Status.RUNNING_POST_COPY, Status.INTERRUPTED_POST_COPY)
#: libvirt may be moving the server. Before these, it has not been asked yet,
#: and the server is nowhere but on the source.
IN_LIBVIRT = (Status.RUNNING, *SWITCHED)
#: What ``/servers/{server_id}/migrations`` shows.
IN_PROGRESS = (Status.QUEUED, Status.PREPARING, *IN_LIBVIRT,
               Status.POST_MIGRATING)


class Migration(migration.Migration):
    # A third component: upstream can go on to its own next version without
    # colliding with ours, and a peer that does not know it takes the object
    # for upstream's version, without asking for a backport.
    VERSION = migration.Migration.VERSION + '.1'

    fields = {
        'post_copy': fields.BooleanField(nullable=True),
    }

    @staticmethod
    def _from_db_object(context, migration_obj, db_migration):
        # A row that was read before the column joined the model has no such
        # key.
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
    """What the request said about post-copy.

    :returns: None when it said nothing, also when the object comes from a
        peer without nova-post-copy
    """
    return migration_obj.post_copy if 'post_copy' in migration_obj else None


def requested_by(
        migrate_data: upstream_data.LiveMigrateData | None
) -> bool | None:
    """What the request said, by the data that the computes pass on.

    :returns: None also when there is no migration with it, as in calls of
        upstream's drivers without a record
    """
    if migrate_data is None or 'migration' not in migrate_data:
        return None
    return requested(migrate_data.migration)


def unfinished(context: nova_context.RequestContext, instance_uuid: str,
               source: str | None = None,
               statuses: Container[str] | None = None,
               ) -> objects.Migration | None:
    """Return the live migration of a server that asked for post-copy.

    :param source: the host that the server leaves; None: any
    :param statuses: those that count; None: all but the final ones
    :returns: None when there is none, or when it is over
    """
    filters = {'instance_uuid': instance_uuid,
               'migration_type': fields.MigrationType.LIVE_MIGRATION}
    if source is not None:
        filters['source_compute'] = source
    for found in objects.MigrationList.get_by_filters(context, filters):
        counts = (found.status not in FINAL if statuses is None
                  else found.status in statuses)
        if counts and requested(found):
            return found
    return None
