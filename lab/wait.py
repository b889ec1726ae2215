# SPDX-License-Identifier: Apache-2.0

"""Waiting: always with a limit, and with a reason when it is over.

A limit is written down for a machine on which the lab has its processors for
itself. :data:`slowness`, as :mod:`lab.cloud.speed` has measured it, stretches
all of them: those of :func:`until` here, any other by :func:`scaled`.
"""

from collections.abc import Callable
import pathlib
import threading
import time
from typing import Any

from lab import errors

# Set when the bring-up is given up: everyone who waits stops waiting.
given_up = threading.Event()
#: how many times longer than written everything may take on this machine
slowness = 1.0


def scaled(seconds: float) -> float:
    """Return a limit (s) as it holds on this machine."""
    return seconds * slowness


def until(condition: Callable[[], Any], what: str, limit: float,
          log: pathlib.Path | None = None, interval: float = 0.1,
          alive: Callable[[], bool] | None = None) -> Any:
    """Wait until ``condition()`` is true and return its value.

    :param condition: an OSError or a falsy value means "not yet"
    :param what: what is waited for, as the end of "no ..." in the error
    :param limit: seconds, on a machine that is not slow
    :param log: whose last lines explain a failure
    :param alive: who must be alive for the waiting to make sense
    :raises LabError: when the limit has passed, ``alive()`` is false, or
        somebody else has given up
    """
    limit = scaled(limit)
    end = time.monotonic() + limit
    while True:
        last = None
        try:
            value = condition()
            if value:
                return value
        except OSError as exc:
            last = exc
        if given_up.is_set():
            raise errors.LabError('given up while waiting for %s' % what)
        if alive is not None and not alive():
            raise errors.with_log(
                'no %s: the process has ended' % what, log)
        if time.monotonic() > end:
            because = ' (%s)' % last if last else ''
            raise errors.with_log(
                'no %s within %g s%s' % (what, limit, because), log)
        time.sleep(interval)
