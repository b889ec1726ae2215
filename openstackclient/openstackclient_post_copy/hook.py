# SPDX-License-Identifier: Apache-2.0

"""How a command of ``openstack`` becomes one that knows post-copy.

Upstream's command stays what does the work; ours runs around it, for this one
command: an interactive ``openstack`` goes on with the same clients.
"""

import abc
import argparse
from collections.abc import Callable, Iterator
import contextlib
import functools
from typing import Any

from cliff import hooks
from openstack.compute.v2 import _proxy

from openstackclient_post_copy import proxy


class Hook(hooks.CommandHook):
    """Runs :meth:`take_action` around that of upstream's command."""

    # Of a class that only openstackclient knows; its methods are replaced.
    cmd: Any

    def get_parser(self, parser: argparse.ArgumentParser) -> None:
        pass

    def get_epilog(self) -> None:
        pass

    def before(self, parsed_args: argparse.Namespace) -> argparse.Namespace:
        self.cmd.take_action = functools.partial(
            self.take_action, self.cmd.take_action)
        return parsed_args

    def after(self, parsed_args: argparse.Namespace, return_code: int) -> int:
        return return_code

    @abc.abstractmethod
    def take_action(self, upstream: Callable,
                    parsed_args: argparse.Namespace) -> Any:
        """Run the command.

        :param upstream: its own ``take_action(parsed_args)``
        :returns: what that returns: None, or the columns and the data
        """

    @property
    def compute(self) -> _proxy.Proxy:
        """The compute client of the command."""
        return self.cmd.app.client_manager.compute

    @contextlib.contextmanager
    def extended_compute(self) -> Iterator[proxy.Proxy]:
        """Let upstream's command use a :class:`proxy.Proxy`; return that."""
        manager = self.cmd.app.client_manager
        manager.compute = ours = proxy.Proxy.extend(manager.compute)
        try:
            yield ours
        finally:
            # Again the one of upstream's class, which has never been gone.
            del manager.compute
