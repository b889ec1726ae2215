# SPDX-License-Identifier: Apache-2.0

"""Limit in seconds for what would wait for RabbitMQ without one."""

from collections.abc import Callable
import threading
import typing

_Result = typing.TypeVar('_Result')

#: Seconds for an answer, the connection to RabbitMQ included.
WITHIN_S = 10


def within_limit(function: Callable[[], _Result]) -> _Result | None:
    """Call a function, and leave it alone when it takes too long.

    :returns: its result; None if there is none in time, or it failed
    """
    results: list[_Result] = []
    # A daemon: the command ends without it.
    thread = threading.Thread(
        target=lambda: results.append(function()), daemon=True)
    thread.start()
    thread.join(WITHIN_S)
    return results[0] if results else None
