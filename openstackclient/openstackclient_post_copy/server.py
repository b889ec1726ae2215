# SPDX-License-Identifier: Apache-2.0

"""``openstack server migrate --live-migration --post-copy``."""

import argparse
from collections.abc import Callable
import functools

from osc_lib import exceptions

from client_post_copy import microversion as shared
from openstackclient_post_copy import hook
from openstackclient_post_copy import microversion
from openstackclient_post_copy import proxy
from openstackclient_post_copy import wait

_SUPPORTED = (' (supported with --os-compute-api-version %s or above, which '
              'is negotiated by default)' % microversion.API_VERSION)


class MigrateServer(hook.Hook):

    def get_parser(self, parser: argparse.ArgumentParser) -> None:
        group = parser.add_mutually_exclusive_group()
        group.add_argument(
            '--post-copy',
            action='store_true',
            default=None,
            help='Allow the live migration to switch from pre-copy to '
                 'post-copy. After the switch the server runs on the '
                 'destination and fetches the rest of its memory from the '
                 'source; if either host fails before all of it has arrived, '
                 'the memory of the server is lost. With --wait, report the '
                 'live migration progress, and fail if the server was not '
                 'moved' + _SUPPORTED)
        group.add_argument(
            '--no-post-copy',
            dest='post_copy',
            action='store_false',
            help='Do not switch the live migration to post-copy, even if '
                 'the source host permits post-copy for all live migrations' +
                 _SUPPORTED)

    def take_action(self, upstream: Callable,
                    parsed_args: argparse.Namespace) -> None:
        if parsed_args.post_copy is None:
            upstream(parsed_args)
            return
        if not parsed_args.live_migration:
            raise exceptions.CommandError(
                '--live-migration must be specified if --post-copy or '
                '--no-post-copy is specified. ' + shared.NOTHING_REQUESTED)
        microversion.require(self.compute)
        with self.extended_compute() as compute:
            # Upstream's command calls this without post_copy.
            compute.__dict__.update(live_migrate_server=functools.partial(
                compute.live_migrate_server, post_copy=parsed_args.post_copy))
            if parsed_args.wait:
                self._migrate_and_wait(compute, upstream, parsed_args)
            else:
                upstream(parsed_args)

    def _migrate_and_wait(self, compute: proxy.Proxy, upstream: Callable,
                          parsed_args: argparse.Namespace) -> None:
        server = compute.find_server(parsed_args.server, ignore_missing=False)
        waiting = wait.Wait(compute, server, self.cmd.app.stdout)
        # Upstream's --wait looks only at the server: after a rollback it would
        # report success.
        upstream(argparse.Namespace(
            **vars(parsed_args) | {'server': server.id, 'wait': False}))
        waiting.follow()
