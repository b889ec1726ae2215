# SPDX-License-Identifier: Apache-2.0

"""``nova server-migration-list`` and ``nova server-migration-show``.

With our microversion the cloud also keeps listing a migration that has entered
post-copy. ``server-migration-show`` prints all properties of a migration, so
nothing has to be added there.
"""

import argparse
import functools

from novaclient.v2 import shell

from novaclient_post_copy import command


def __post_parse_args__(args: argparse.Namespace) -> None:
    for do_command in (shell.do_server_migration_list,
                       shell.do_server_migration_show):
        command.run_around(
            do_command,
            functools.partial(command.show_post_copy, 'server_migrations'),
            args)
