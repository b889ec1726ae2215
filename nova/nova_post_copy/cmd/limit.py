# SPDX-License-Identifier: Apache-2.0

"""Limit in seconds for what would wait for RabbitMQ without one."""

from collections.abc import Callable
from concurrent import futures
import contextlib
import threading
import typing

from nova.i18n import _

_Result = typing.TypeVar('_Result')

#: Seconds for an answer, the connection to RabbitMQ included.
WITHIN_S = 10
#: Seconds for what a host or another service does before it answers.
DONE_WITHIN_S = 60


def call(function: Callable[[], _Result],
         seconds: float | None = None) -> _Result:
    """Call a function, and leave it alone when it takes too long.

    :param seconds: None: as for an answer
    :raises TimeoutError: it takes too long
    :raises Exception: what the function raises
    """
    if seconds is None:
        seconds = WITHIN_S
    done: futures.Future[_Result] = futures.Future()
    # A daemon: the command ends without it.
    threading.Thread(
        target=_fulfil, args=(done, function), daemon=True).start()
    futures.wait([done], seconds)
    if not done.done():
        raise TimeoutError(_('no answer within %d s') % seconds)
    return done.result()


def _fulfil(done: futures.Future[_Result],
            function: Callable[[], _Result]) -> None:
    try:
        done.set_result(function())
    except BaseException as exc:
        done.set_exception(exc)


def within_limit(function: Callable[[], _Result]) -> _Result | None:
    """Call a function that nothing depends on, as above.

    :returns: its result; None if there is none in time, or it failed
    """
    with contextlib.suppress(Exception):
        return call(function)
    return None
