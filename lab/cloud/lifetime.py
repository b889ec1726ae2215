# SPDX-License-Identifier: Apache-2.0

"""A cloud for as long as a command needs it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
import contextlib
import signal
import typing

from lab.cloud import preflight
from lab import errors

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud


def require_machine(storage: str) -> None:
    """Make sure that this machine can host the lab.

    :param storage: see :class:`lab.cloud.cloud.Cloud`
    :raises LabError: with what it lacks
    """
    if lacks := preflight.missing(storage):
        raise errors.LabError('\n  '.join(
            ['this machine cannot host the lab:', *lacks]))


def undisturbed(function: Callable[[], object]) -> None:
    """Call it without being interrupted once more."""
    before = {number: signal.signal(number, signal.SIG_IGN)
              for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        function()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def in_cloud(cloud: lab_cloud.Cloud, keep: bool = False) -> Iterator[None]:
    """Bring the cloud up, and remove it in the end.

    One that was there before is not ours to remove.

    :param cloud: a :class:`lab.cloud.cloud.Cloud`
    :param keep: leave it in any case
    :raises LabError: when this machine cannot host it
    """
    was_up = cloud.is_up()
    if not was_up:
        require_machine(cloud.storage.name)
    try:
        cloud.up()
        yield
    finally:
        if not (was_up or keep):
            undisturbed(cloud.down)
