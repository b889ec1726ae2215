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

"""The command line of our commands, in the manner of Nova's own."""

from collections.abc import Callable
import functools
from importlib import metadata
import sys

from oslo_config import cfg

from nova.cmd import common as cmd_common
import nova.conf
from nova import config

CONF = nova.conf.CONF


def read_command_line(categories: dict[str, type]) -> Callable[[], int | None]:
    """Read the command line and ``nova.conf``.

    :param categories: the class of each group of commands, by its name
    :returns: what is to be done; it returns the exit status, None for 0
    """
    CONF.register_cli_opt(cfg.SubCommandOpt(
        'category', title='Command categories', help='Available categories',
        handler=lambda subparsers: cmd_common.add_command_parsers(
            subparsers, categories)))
    config.parse_args(sys.argv)
    if CONF.category.name == 'version':
        return functools.partial(print, metadata.version('nova-post-copy'))
    if CONF.category.name == 'bash-completion':
        return functools.partial(
            cmd_common.print_bash_completion, categories)
    action, args, kwargs = cmd_common.get_action_fn()
    return functools.partial(action, *args, **kwargs)
