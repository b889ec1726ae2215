# SPDX-License-Identifier: Apache-2.0

"""Write to Nova's database without blocking the monitor.

A database or message queue that is unavailable must not keep the monitor from
breaking a dead stream or from resuming one, so its reports are written by a
separate thread, one after the other. What says how the server *is* is written
again until it is there; what says that something *happened* is tried once.
"""

import collections
import time
import typing

import futurist
from oslo_log import log as logging

from nova import exception

LOG = logging.getLogger(__name__)

# Seconds after a failure until a state is written again.
RETRY_INTERVAL_S = 2.0

Report = typing.Callable[[], typing.Any]


class _Entry(typing.NamedTuple):
    report: Report
    state: str | None       #: which state it writes, if it does


class WriteQueue:
    """Writes reports in their order.

    :param spawn: starts a function in a thread and returns its future
    """

    def __init__(
            self, spawn: typing.Callable[..., futurist.Future]) -> None:
        self._spawn = spawn
        self._waiting: collections.deque[_Entry] = collections.deque()
        self._current: _Entry | None = None
        self._writing: futurist.Future | None = None
        self._not_before = 0.0

    def tell(self, report: Report) -> None:
        """Write a report as soon as those before it are written."""
        self._add(_Entry(report, None))

    def keep(self, state: str, report: Report) -> None:
        """Write a state: until it is written, or a newer one is to be.

        Later reports wait, so that their order is kept.

        :param state: its name; the newest report of a name counts
        """
        self._add(_Entry(report, state))

    def show(self, report: Report) -> None:
        """Write a report, unless there is something else to write.

        For progress: the next one comes soon, and says more.
        """
        if not self._busy() and not self._waiting:
            self.tell(report)

    def go_on(self) -> None:
        """Start the next report if the last is written."""
        if self._busy():
            return
        if self._has_failed():
            self._repeat()
        self._skip_old_states()
        if self._waiting and time.monotonic() >= self._not_before:
            self._start(self._waiting.popleft())

    def finish(self) -> None:
        """Wait until everything is written, or has failed once more.

        Then the caller writes a newer state, or this one is of no use.
        """
        while self._writing is not None or self._waiting:
            if self._writing is not None:
                self._writing.result()
                self._writing = None
            if self._waiting:
                self._start(self._waiting.popleft())

    def _add(self, entry: _Entry) -> None:
        self._waiting.append(entry)
        self.go_on()

    def _start(self, entry: _Entry) -> None:
        self._current = entry
        self._writing = self._spawn(_is_written, entry.report)

    def _busy(self) -> bool:
        return self._writing is not None and not self._writing.done()

    def _has_failed(self) -> bool:
        failed = self._writing is not None and not self._writing.result()
        self._writing = None
        return failed

    def _repeat(self) -> None:
        entry = self._current
        if entry is None or entry.state is None:
            return
        self._waiting.appendleft(entry)
        self._not_before = time.monotonic() + RETRY_INTERVAL_S

    def _skip_old_states(self) -> None:
        while self._waiting and self._waiting[0].state is not None and any(
                self._waiting[0].state == newer.state
                for newer in list(self._waiting)[1:]):
            self._waiting.popleft()


def _is_written(report: Report) -> bool:
    """Write; tell whether that need not be repeated."""
    try:
        report()
    except exception.NotFound as exc:
        LOG.warning('The live migration has no state to save any more: %s',
                    exc)
    except Exception as exc:
        # The migration itself continues without it.
        LOG.warning('Could not save the state of the live migration: %s', exc)
        return False
    return True
