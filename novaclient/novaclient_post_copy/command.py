# SPDX-License-Identifier: Apache-2.0

"""Extend a command of upstream's ``nova`` with post-copy.

Upstream's function still does the work; ours wraps it. novaclient runs the
hooks of all extensions once for each extension, so everything here may run
more than once.
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
    """Run ``ours(upstream, cs, args)`` if the user entered this command.

    :param command: the function ``do_...`` of upstream's shell
    :param ours: called with upstream's function, the client and the arguments
    :param args: the parsed command line
    """
    upstream = args.func
    entered = [command] + [method.func for method in
                           api_versions.get_substitutions(command)]
    if upstream in entered:
        args.func = functools.wraps(upstream)(
            functools.partial(ours, upstream))


def newest_version_asked(args: argparse.Namespace) -> bool:
    """Tell whether ``nova`` negotiates the microversion.

    False if --os-compute-api-version or OS_COMPUTE_API_VERSION selects one.
    """
    asked = args.os_compute_api_version
    return bool(asked) and api_versions.get_api_version(asked).is_latest()


def show_post_copy(resource: str, upstream: Callable, cs,
                   args: argparse.Namespace) -> None:
    """Run a command that shows migrations, with ``post_copy`` among them.

    :param resource: the client's attribute with the manager
    :param upstream: upstream's function of the command
    """
    if (newest_version_asked(args) and
            # nova negotiated less: the cloud does not offer ours either.
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

    Upstream's commands build the list of columns themselves, and all of those
    stay; only the function that prints the table can be replaced.
    """
    print_list = utils.print_list

    def print_list_with_ours(objs, fields, *args, **kwargs):
        # A cloud without nova-post-copy may use the microversion for something
        # else.
        if all(hasattr(obj, 'post_copy') for obj in objs):
            fields = fields + ['Post Copy', 'Phase']
        print_list(objs, fields, *args, **kwargs)

    utils.print_list = print_list_with_ours
    try:
        yield
    finally:
        utils.print_list = print_list
