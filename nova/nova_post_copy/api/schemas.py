# SPDX-License-Identifier: Apache-2.0

"""JSON schemas of our microversion: upstream's newest plus our fields."""

import copy
import typing

from nova.api.openstack.compute import migrate_server
from nova.api.openstack.compute import migrations
from nova.api.openstack.compute import server_migrations

from nova_post_copy.api import microversion
from nova_post_copy.api import phase

_MigrateServer = migrate_server.MigrateServerController
_Migrations = migrations.MigrationsController
_ServerMigrations = server_migrations.ServerMigrationsController

_Schema = dict[str, typing.Any]


def _with_post_copy(migration: _Schema) -> _Schema:
    migration = copy.deepcopy(migration)
    # Null: the request did not say.
    migration['properties']['post_copy'] = {'type': ['boolean', 'null']}
    # Null: the migration is over or no live migration.
    migration['properties']['phase'] = {
        'type': ['string', 'null'], 'enum': [*phase.Phase, None]}
    migration['required'] += ['post_copy', 'phase']
    return migration


def _with_progress(migration: _Schema) -> _Schema:
    """Add ``progress``, and allow the values that a real migration has.

    Upstream's schema requires at least 1 of each count of bytes, and
    ``updated_at``. But a server without local disks has none to copy, the
    remaining memory reaches 0, and a queued migration was not updated yet.
    """
    migration = copy.deepcopy(migration)
    for name, value in migration['properties'].items():
        if name.endswith('_bytes'):
            value['minimum'] = 0
    migration['properties']['updated_at']['type'] = ['string', 'null']
    migration['properties']['progress'] = {
        'type': 'integer', 'minimum': 0, 'maximum': 100}
    migration['required'].append('progress')
    return migration


# A JSON boolean only; upstream's booleans also accept "True", "1" and so on.
migrate_live = copy.deepcopy(
    microversion.newest(_MigrateServer._migrate_live.request_body_schemas))
migrate_live['properties']['os-migrateLive']['properties']['post_copy'] = {
    'type': 'boolean',
}

migrate_live_response = microversion.newest(
    _MigrateServer._migrate_live.response_body_schemas)

index_migrations_query = microversion.newest(
    _Migrations.index.request_query_schemas)

index_migrations_response = copy.deepcopy(
    microversion.newest(_Migrations.index.response_body_schemas))
index_migrations_response['properties']['migrations']['items'] = (
    _with_post_copy(
        index_migrations_response['properties']['migrations']['items']))

index_query = microversion.newest(
    _ServerMigrations.index.request_query_schemas)

index_response = copy.deepcopy(
    microversion.newest(_ServerMigrations.index.response_body_schemas))
index_response['properties']['migrations']['items'] = _with_progress(
    _with_post_copy(index_response['properties']['migrations']['items']))

show_query = microversion.newest(_ServerMigrations.show.request_query_schemas)

show_response = copy.deepcopy(
    microversion.newest(_ServerMigrations.show.response_body_schemas))
show_response['properties']['migration'] = (
    index_response['properties']['migrations']['items'])

force_complete = microversion.newest(
    _ServerMigrations._force_complete.request_body_schemas)

force_complete_response = microversion.newest(
    _ServerMigrations._force_complete.response_body_schemas)

delete_response = microversion.newest(
    _ServerMigrations.delete.response_body_schemas)
