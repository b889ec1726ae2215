# SPDX-License-Identifier: Apache-2.0

"""How a command of upstream's ``nova`` becomes one that knows post-copy.

Upstream's function stays what does the work; ours runs around it. novaclient
runs the hooks of all extensions once for each extension, so everything here
may happen more than once.
"""

import argparse
from collections.abc import Callable
import contextlib
import functools

import novaclient
from novaclient import api_versions
from novaclient import utils

from novaclient_post_copy import microversion


def run_around(command: Callable, ours: Callable,
               args: argparse.Namespace) -> None:
    """Run ``ours(upstream, cs, args)`` when this command was entered.

    :param command: the function ``do_...`` of upstream's shell
    :param ours: gets upstream's function, the client and the arguments
    :param args: what was entered
    """
    upstream = args.func
    entered = [command] + [method.func for method in
                           api_versions.get_substitutions(command)]
    if upstream in entered:
        args.func = functools.wraps(upstream)(
            functools.partial(ours, upstream))


def newest_version_asked(args: argparse.Namespace) -> bool:
    """Tell whether ``nova`` was free to choose the microversion.

    It then speaks the newest that it and the cloud know; an older one named by
    --os-compute-api-version or OS_COMPUTE_API_VERSION is the user's will.
    """
    asked = args.os_compute_api_version
    return bool(asked) and api_versions.get_api_version(asked).is_latest()


def show_post_copy(resource: str, upstream: Callable, cs,
                   args: argparse.Namespace) -> None:
    """Run a command that reads migrations so that it shows ``post_copy``.

    :param resource: what the manager is called in the client
    :param upstream: the command
    """
    if (newest_version_asked(args) and
            # An older cloud is known already to be older than ours.
            cs.api_version == novaclient.API_MAX_VERSION and
            microversion.offered(cs)):
        setattr(cs, resource, microversion.with_ours(getattr(cs, resource)))
        with _our_columns():
            upstream(cs, args)
    else:
        upstream(cs, args)


@contextlib.contextmanager
def _our_columns():
    """Add ``Post Copy`` and ``Phase`` to a table of migrations.

    The commands make up the list of their columns inside, from which nothing
    must be lost; what they print it with is all that can be reached.
    """
    print_list = utils.print_list

    def print_list_with_ours(objs, fields, *args, **kwargs):
        # Another service than ours may give the microversion another meaning.
        if all(hasattr(obj, 'post_copy') for obj in objs):
            fields = fields + ['Post Copy', 'Phase']
        print_list(objs, fields, *args, **kwargs)

    utils.print_list = print_list_with_ours
    try:
        yield
    finally:
        utils.print_list = print_list
