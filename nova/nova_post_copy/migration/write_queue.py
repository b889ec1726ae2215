# SPDX-License-Identifier: Apache-2.0

"""Write to Nova's database without blocking the monitor.

A database or message queue that is unavailable must not keep the monitor from
breaking a dead stream or from resuming one, so its reports are written by a
separate thread, one after the other.
"""

import collections
import typing

import futurist
from oslo_log import log as logging

LOG = logging.getLogger(__name__)

Report = typing.Callable[[], None]


class WriteQueue:
    """Writes reports in their order.

    :param spawn: starts a function in a thread and returns its future
    """

    def __init__(
            self, spawn: typing.Callable[..., futurist.Future]) -> None:
        self._spawn = spawn
        self._waiting: collections.deque[Report] = collections.deque()
        self._writing: futurist.Future | None = None

    def tell(self, report: Report) -> None:
        """Write a report as soon as those before it are written."""
        self._waiting.append(report)
        self.go_on()

    def show(self, report: Report) -> None:
        """Write a report, unless there is something else to write.

        For progress: the next one comes soon, and says more.
        """
        if not self._busy() and not self._waiting:
            self.tell(report)

    def go_on(self) -> None:
        """Start the next report if the last is written."""
        if self._waiting and not self._busy():
            self._writing = self._spawn(_tolerant, self._waiting.popleft())

    def finish(self) -> None:
        """Wait until everything is written."""
        while self._writing is not None:
            self._writing.result()
            self._writing = None
            self.go_on()

    def _busy(self) -> bool:
        return self._writing is not None and not self._writing.done()


def _tolerant(report: Report) -> None:
    try:
        report()
    except Exception as exc:
        # The migration itself continues without it.
        LOG.warning('Could not save the state of the live migration: %s', exc)
