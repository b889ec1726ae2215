# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""``nova server-migration-list`` and ``nova server-migration-show``.

Asked with our microversion, the cloud also goes on to list a migration that
has entered post-copy. ``server-migration-show`` needs no column: it prints
whatever properties a migration has.
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
