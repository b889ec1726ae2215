# SPDX-License-Identifier: Apache-2.0

"""Threads for work that runs alongside a live migration.

Each function gets a thread of its own, so nothing waits for a thread. With a
pool that would not hold: an interrupted migration keeps its threads for as
long as the network is away, and there may be as many of them as the host has
servers. A function that waits behind them could be the one that brings a
guest back, or reports its loss.
"""

from collections.abc import Callable
import threading
import typing

import futurist
from oslo_context import context as oslo_context


def spawn(function: Callable[..., typing.Any], *args: typing.Any,
          **kwargs: typing.Any) -> futurist.Future:
    """Start a function in a thread; returns its future.

    The service does not wait for the thread when it ends: whatever a
    migration needs is in its durable record.
    """
    future = futurist.Future()
    threading.Thread(
        target=_run, daemon=True, name=getattr(function, '__name__', None),
        args=(future, oslo_context.get_current(), function, args, kwargs),
    ).start()
    return future


def _run(future: futurist.Future,
         context: oslo_context.RequestContext | None,
         function: Callable[..., typing.Any], args: tuple[typing.Any, ...],
         kwargs: dict[str, typing.Any]) -> None:
    if context is not None:
        # For the log, which shows the request.
        context.update_store()
    try:
        result = function(*args, **kwargs)
    except BaseException as exc:
        future.set_exception(exc)
    else:
        future.set_result(result)
