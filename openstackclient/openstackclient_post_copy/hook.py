# SPDX-License-Identifier: Apache-2.0

"""Extend a command of ``openstack`` with post-copy.

Upstream's command still does the work; ours wraps it for this one command,
since an interactive ``openstack`` uses the same clients for the next.
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

    # The command, with attributes that cliff's own class does not have.
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

        :param upstream: upstream's ``take_action(parsed_args)``
        :returns: as upstream's: None, or the columns and the data
        """

    @property
    def compute(self) -> _proxy.Proxy:
        """The compute client of the command."""
        return self.cmd.app.client_manager.compute

    @contextlib.contextmanager
    def extended_compute(self) -> Iterator[proxy.Proxy]:
        """Let upstream's command use a :class:`proxy.Proxy`; yield that."""
        manager = self.cmd.app.client_manager
        manager.compute = ours = proxy.Proxy.extend(manager.compute)
        try:
            yield ours
        finally:
            # Uncovers upstream's client, an attribute of the class.
            del manager.compute
