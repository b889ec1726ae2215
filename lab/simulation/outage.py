# SPDX-License-Identifier: Apache-2.0

"""Requests to another service that fail: once, or until its end.

Where a service is unreachable upstream's clients raise what keystoneauth1 or
the service's own client raises; a test chooses.
"""

from collections.abc import Callable
import threading

from lab.simulation import processes


class Outage:
    """What does not work at present, of one service."""

    def __init__(self, error: Callable[[], Exception]) -> None:
        """Let everything work.

        :param error: makes what a failing request raises, if a test does not
            say so itself
        """
        self._error = error
        self._lock = threading.Lock()
        self._left: float = 0
        self._calls: tuple[str, ...] = ()
        self._raised = error

    def begin(self, *calls: str, times: float = float('inf'),
              error: Callable[[], Exception] | None = None) -> None:
        """Let requests fail.

        :param calls: names of the client's methods; none means all
        :param times: how many requests fail
        """
        with self._lock:
            self._calls, self._left = calls, times
            self._raised = error or self._error

    def end(self) -> None:
        """Let everything work again."""
        with self._lock:
            self._left = 0

    @property
    def on(self) -> bool:
        """Whether requests may still fail."""
        return bool(self._left)

    def check(self, call: str) -> None:
        """Let a request through.

        :raises Exception: what the outage raises; or the host of the caller
            has lost its control network
        """
        if not processes.connected():
            raise self._error()
        with self._lock:
            if not self._left or (self._calls and call not in self._calls):
                return
            self._left -= 1
        raise self._raised()
