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

"""``nova migration-list``."""

import argparse
import functools

from novaclient.v2 import shell

from novaclient_post_copy import command


def __post_parse_args__(args: argparse.Namespace) -> None:
    command.run_around(
        shell.do_migration_list,
        functools.partial(command.show_post_copy, 'migrations'), args)
