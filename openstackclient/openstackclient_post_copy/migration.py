# SPDX-License-Identifier: Apache-2.0

"""The SDK's resources of a migration, with our microversion's fields."""

from keystoneauth1 import adapter
from openstack.compute.v2 import migration
from openstack.compute.v2 import server_migration
from openstack import resource

from openstackclient_post_copy import microversion


class _PostCopy(resource.Resource):
    """The fields that our microversion adds to each resource."""

    #: What the request said about post-copy: True, False, or None for nothing
    #: (since microversion 2.105)
    post_copy = resource.Body('post_copy')
    #: Phase of the migration, None once it has ended (since microversion
    #: 2.105)
    phase = resource.Body('phase')

    @classmethod
    def _get_microversion(cls, session: adapter.Adapter) -> str | None:
        # Either ours or upstream's, never one in between.
        if (session.default_microversion is None
                and microversion.is_supported(session)):
            return microversion.API_VERSION
        return super()._get_microversion(session)

    @property
    def tells_post_copy(self) -> bool:
        """Whether the cloud sent the field ``post_copy``, even if null.

        A cloud without nova-post-copy may use the microversion for something
        else.
        """
        return 'post_copy' in self._body


class Migration(_PostCopy, migration.Migration):
    """A migration of any type, in progress or ended."""

    # The SDK looks up an alternate ID only in the class itself.
    uuid = migration.Migration.uuid


class ServerMigration(_PostCopy, server_migration.ServerMigration):
    """A live migration in progress."""

    uuid = server_migration.ServerMigration.uuid

    #: Progress of the migration in per cent (since microversion 2.105)
    progress = resource.Body('progress', type=int)


# Upstream's resources, and the ones that replace them.
EXTENDED = {
    migration.Migration: Migration,
    server_migration.ServerMigration: ServerMigration,
}
