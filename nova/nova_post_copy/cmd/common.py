# SPDX-License-Identifier: Apache-2.0

"""Command line of our commands, built like Nova's own."""

from collections.abc import Callable
from collections.abc import Mapping
import functools
from importlib import metadata
import sys

from oslo_config import cfg

from nova.cmd import common as cmd_common
import nova.conf
from nova import config

CONF = nova.conf.CONF


def read_command_line(
        categories: Mapping[str, type]) -> Callable[[], int | None]:
    """Read the command line and ``nova.conf``.

    :param categories: the class of each group of commands, by its name
    :returns: the action to run; it returns the exit status, None for 0
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
