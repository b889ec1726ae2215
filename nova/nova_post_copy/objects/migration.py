# SPDX-License-Identifier: Apache-2.0

"""The Migration object, on which the request travels from stop to stop.

A ``post_copy`` that is not set means that nobody asked: upstream's behaviour.
"""

from nova.objects import fields
from nova.objects import migrate_data as upstream_data
from nova.objects import migration
from oslo_utils import versionutils


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
