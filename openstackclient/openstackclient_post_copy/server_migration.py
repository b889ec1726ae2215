# SPDX-License-Identifier: Apache-2.0

"""``openstack server migration list`` and ``openstack server migration show``.

Adds the columns ``Post Copy`` and ``Phase`` to both, and ``Progress`` to
``show``, if the cloud offers our microversion. With that microversion the
cloud also keeps showing a migration that has entered post-copy.
"""

import argparse
from collections.abc import Callable, Iterable

from openstackclient_post_copy import hook
from openstackclient_post_copy import microversion
from openstackclient_post_copy import migration
from openstackclient_post_copy import proxy

COLUMNS = ['Post Copy', 'Phase']


class ListMigration(hook.Hook):

    def take_action(self, upstream: Callable, parsed_args: argparse.Namespace,
                    ) -> tuple[list[str], Iterable[tuple]]:
        if not microversion.is_supported(self.compute):
            return upstream(parsed_args)
        print_migrations = self.cmd.print_migrations

        def print_with_post_copy(parsed_args, compute, migrations):
            headers, rows = print_migrations(parsed_args, compute, migrations)
            if not all(each.tells_post_copy for each in migrations):
                return headers, rows
            return headers + COLUMNS, (
                (*row, each.post_copy, each.phase)
                for row, each in zip(rows, migrations))

        self.cmd.print_migrations = print_with_post_copy
        with self.extended_compute():
            return upstream(parsed_args)


class ShowMigration(hook.Hook):

    def take_action(self, upstream: Callable, parsed_args: argparse.Namespace,
                    ) -> tuple[tuple[str, ...], tuple]:
        if not microversion.is_supported(self.compute):
            return upstream(parsed_args)
        with self.extended_compute() as compute:
            seen = _remember(compute, parsed_args.migration)
            headers, data = upstream(parsed_args)
        shown = seen[data[headers.index('ID')]]
        if not shown.tells_post_copy:
            return headers, data
        return ((*headers, *COLUMNS, 'Progress'),
                (*data, shown.post_copy, shown.phase, shown.progress))


def _remember(compute: proxy.Proxy, migration_id: str,
              ) -> dict[int, migration.ServerMigration]:
    """Return a dict that collects, by ID, the migrations that are read.

    :param migration_id: ID or UUID that the user entered
    """
    seen: dict[int, migration.ServerMigration] = {}
    get, list_all = compute.get_server_migration, compute.server_migrations

    def remember(found):
        seen[found.id] = found
        return found

    def get_server_migration(*ids, **kwargs):
        # openstackclient 10.5 passes the server first, and would ask the cloud
        # for a migration with the server's ID.
        server_id, = set(ids) - {migration_id}
        return remember(get(migration_id, server_id, **kwargs))

    compute.__dict__.update(
        get_server_migration=get_server_migration,
        # Upstream looks up a UUID in the list.
        server_migrations=lambda server: map(remember, list_all(server)))
    return seen
