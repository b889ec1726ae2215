# SPDX-License-Identifier: Apache-2.0

"""``GET /os-migrations``"""

import inspect

from nova.api.openstack.compute import migrations as upstream
from nova.api.openstack import wsgi
from nova.api import validation

from nova_post_copy.api import microversion
from nova_post_copy.api import phase
from nova_post_copy.api import schemas
from nova_post_copy.objects import migration as migration_obj

_index = inspect.unwrap(upstream.MigrationsController.index)


@validation.validated
class MigrationsController(upstream.MigrationsController):

    def _output(self, req, migrations_obj, *args, **kwargs):
        # Upstream's view shows every field of the object.
        migrations = super()._output(req, migrations_obj, *args, **kwargs)
        supported = microversion.is_supported(req)
        phases = ({each.uuid: phase.of(each) for each in migrations_obj}
                  if supported else {})
        for migration in migrations:
            post_copy = migration.pop('post_copy', None)
            if not supported:
                continue
            migration['post_copy'] = post_copy
            migration['phase'] = phases[migration['uuid']]
            # Upstream links every live migration that "show" can return.
            if migration['status'] in migration_obj.SWITCHED:
                migration['links'] = self._view_builder._get_links(
                    req, migration['id'],
                    self._collection_name % migration['instance_uuid'])
        return migrations

    @microversion.extends(upstream.MigrationsController.index)
    @wsgi.expected_errors(400)
    @validation.query_schema(schemas.index_migrations_query)
    @validation.response_body_schema(schemas.index_migrations_response)
    def index(self, req):
        """Return all migrations, each with ``post_copy`` and ``phase``."""
        return _index(self, req)
