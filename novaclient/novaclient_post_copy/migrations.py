# SPDX-License-Identifier: Apache-2.0

"""``nova migration-list``."""

import argparse
import functools

from novaclient.v2 import shell

from novaclient_post_copy import command


def __post_parse_args__(args: argparse.Namespace) -> None:
    command.run_around(
        shell.do_migration_list,
        functools.partial(command.show_post_copy, 'migrations'), args)
