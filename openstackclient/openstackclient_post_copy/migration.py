# SPDX-License-Identifier: Apache-2.0

"""The SDK's resources of a migration, with what our microversion adds."""

from keystoneauth1 import adapter
from openstack.compute.v2 import migration
from openstack.compute.v2 import server_migration
from openstack import resource

from openstackclient_post_copy import microversion


class _PostCopy(resource.Resource):
    """What our microversion adds to each resource."""

    #: Whether the migration was asked to use post-copy: True, False, or None
    #: when the request did not say (since microversion 2.105)
    post_copy = resource.Body('post_copy')
    #: Where it is, None when it is over (since microversion 2.105)
    phase = resource.Body('phase')

    @classmethod
    def _get_microversion(cls, session: adapter.Adapter) -> str | None:
        # Ours or upstream's, none in between.
        if (session.default_microversion is None
                and microversion.is_supported(session)):
            return microversion.API_VERSION
        return super()._get_microversion(session)

    @property
    def tells_post_copy(self) -> bool:
        """Whether the cloud sent ``post_copy``, if only to say None.

        A cloud without nova-post-copy may give the microversion another
        meaning.
        """
        return 'post_copy' in self._body


class Migration(_PostCopy, migration.Migration):
    """A migration of any type, in progress or ended."""

    # The SDK looks for an alternate ID in the class itself only.
    uuid = migration.Migration.uuid


class ServerMigration(_PostCopy, server_migration.ServerMigration):
    """A live migration in progress."""

    uuid = server_migration.ServerMigration.uuid

    #: How much of it is done, in per cent (since microversion 2.105)
    progress = resource.Body('progress', type=int)


# Each of upstream's resources that we extend, and what takes its place.
EXTENDED = {
    migration.Migration: Migration,
    server_migration.ServerMigration: ServerMigration,
}
