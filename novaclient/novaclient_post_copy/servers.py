# SPDX-License-Identifier: Apache-2.0

"""``nova live-migration``, ``nova host-evacuate-live`` and their Python API.

Adds ``--post-copy``, ``--no-post-copy`` and ``--poll`` to both commands.
"""

import argparse
from collections.abc import Callable
import functools

from novaclient import base
from novaclient import exceptions
from novaclient import utils
from novaclient.v2 import servers
from novaclient.v2 import shell

from client_post_copy import microversion as shared
from novaclient_post_copy import command
from novaclient_post_copy import microversion
from novaclient_post_copy import poll

_SUPPORTED = (" (Supported by API versions '%s' - '%d.latest')" % (
    microversion.API_VERSION.get_string(), microversion.API_VERSION.ver_major))


class Server(servers.Server):
    def live_migrate(self, host=None, block_migration=None, *args,
                     post_copy: bool | None = None, **kwargs):
        """Migrate a running server to another host.

        The arguments are upstream's, and ``post_copy`` as in
        :meth:`ServerManager.live_migrate`.
        """
        if post_copy is None:
            return super().live_migrate(host, block_migration, *args, **kwargs)
        if block_migration is None:
            block_migration = 'auto'
        return self.manager.live_migrate(
            self, host, block_migration, *args, post_copy=post_copy, **kwargs)


class ServerManager(servers.ServerManager):
    resource_class = Server

    def live_migrate(self, server, host, block_migration, *args,
                     post_copy: bool | None = None,
                     **kwargs) -> base.TupleWithMeta:
        """Migrate a running server to another host.

        Without ``post_copy`` identical to upstream at every microversion.

        :param server: the :class:`Server` or its ID
        :param host: name of the destination, None: the scheduler chooses
        :param block_migration: True, False or 'auto'
        :param post_copy: True: the migration may switch to post-copy; False:
            it must not, even if the source host permits post-copy for all
            live migrations; None: as the source host is configured. True and
            False are sent with our microversion, which has neither
            ``disk_over_commit`` nor ``force``.
        :raises novaclient.exceptions.UnsupportedVersion: when the cloud does
            not know ``post_copy``; no migration has been requested then
        """
        if post_copy is None:
            return super().live_migrate(server, host, block_migration, *args,
                                        **kwargs)
        if args or kwargs:
            raise TypeError('live_migrate() accepts neither disk_over_commit '
                            'nor force together with post_copy')
        return microversion.require(self)._action('os-migrateLive', server, {
            'host': host,
            'block_migration': block_migration,
            'post_copy': post_copy,
        })


def __pre_parse_args__() -> None:
    for do_command in (shell.do_live_migration, shell.do_host_evacuate_live):
        # No start_version: with one the option would be unknown on every
        # cloud, instead of refused with the reason.
        utils.add_arg(
            do_command, '--no-post-copy', group='post_copy',
            action='store_false', default=None,
            help='Do not switch the live migration to post-copy, even if '
                 'the source host permits post-copy for all live migrations.' +
                 _SUPPORTED)
        utils.add_arg(
            do_command, '--post-copy', group='post_copy',
            action='store_true', default=None,
            help='Allow the live migration to switch from pre-copy to '
                 'post-copy. After the switch the server runs on the '
                 'destination and fetches the rest of its memory from the '
                 'source; if either host fails before all of it has arrived, '
                 'the memory of the server is lost.' + _SUPPORTED)
        utils.add_arg(
            do_command, '--poll', action='store_true', default=False,
            help='Report the live migration progress until it completes, and '
                 'fail if the server was not moved.' + _SUPPORTED)


def __post_parse_args__(args: argparse.Namespace) -> None:
    for do_command, follow in (
        (shell.do_live_migration, poll.Poll.follow_server),
        (shell.do_host_evacuate_live, poll.Poll.follow_host),
    ):
        command.run_around(
            do_command, functools.partial(_live_migrate, follow), args)


def _live_migrate(follow: Callable[[poll.Poll], None], upstream: Callable, cs,
                  args: argparse.Namespace) -> None:
    if args.post_copy is None and not args.poll:
        upstream(cs, args)
        return
    purpose = shared.WATCHING if args.post_copy is None else shared.CHOOSING
    if not command.newest_version_asked(args):
        raise exceptions.CommandError(shared.not_selected(
            cs.api_version.get_string(),
            '--os-compute-api-version and OS_COMPUTE_API_VERSION', purpose))
    ours = microversion.require(cs.servers, purpose)
    # Upstream's command finds the servers, with the microversion that it
    # knows, and calls this for each.
    live_migrate = cs.servers.live_migrate
    if args.post_copy is not None:
        live_migrate = functools.partial(
            ours.live_migrate, post_copy=args.post_copy)
    if not args.poll:
        cs.servers.live_migrate = live_migrate
        upstream(cs, args)
        return
    polled = poll.Poll(cs, live_migrate)
    cs.servers.live_migrate = polled.live_migrate
    upstream(cs, args)
    follow(polled)
