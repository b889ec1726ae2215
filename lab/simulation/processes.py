# SPDX-License-Identifier: Apache-2.0

"""The processes of a simulated cloud, each a number of threads of ours.

A nova-compute has a host name, a folder and a life of its own. What it starts
belongs to it, too: threads and what they submit to a thread pool. When it is
killed, each of its threads ends as soon as it asks libvirt, the database or
another process for anything; no other process hears of it any more.
"""

import contextvars
import functools
import os
import threading

import fixtures
import futurist
from oslo_config import cfg
from oslo_messaging._drivers import impl_fake
import sqlalchemy
from sqlalchemy import event

from lab.simulation import names
from nova.db.main import api

_current: contextvars.ContextVar['Process | None'] = contextvars.ContextVar(
    'process', default=None)


class Process:
    """A process: what is begun inside of ``with process`` is part of it."""

    def __init__(self, host: str, folder: str) -> None:
        """Prepare a process that has not begun anything.

        :param folder: where each host has a folder for what Nova keeps
        """
        self.host = host
        self.alive = True
        #: what it has configured otherwise than the others
        self.options = {
            'host': host,
            'state_path': os.path.join(folder, host),
        }

    def __enter__(self) -> None:
        self._outside = _current.set(self)

    def __exit__(self, *error) -> None:
        _current.reset(self._outside)


def check() -> None:
    """Check that the process of the calling thread is alive.

    :raises lab.simulation.names.Killed: the caller should not exist
    """
    process = _current.get()
    if process is not None and not process.alive:
        raise names.Killed


class Processes(fixtures.Fixture):
    """Lets threads belong to processes.

    After upstream's CellDatabases.
    """

    def __init__(self, database) -> None:
        """Prepare for processes.

        :param database: the enginefacade of the cell that they belong to
        """
        self._database = database

    def _setUp(self):
        for name, replacement in (
                ('threading.Thread.start', _start_inside(
                    threading.Thread.start)),
                ('futurist.ThreadPoolExecutor.submit', _submit_inside(
                    futurist.ThreadPoolExecutor.submit)),
                ('oslo_config.cfg.ConfigOpts.__getattr__', _own_options(
                    cfg.ConfigOpts.__getattr__)),
                ('oslo_messaging._drivers.impl_fake.FakeDriver.send',
                 _only_alive(impl_fake.FakeDriver.send)),
                ('nova.db.main.api.get_context_manager',
                 self._only_cell(api.get_context_manager))):
            self.useFixture(fixtures.MonkeyPatch(name, replacement))
        event.listen(sqlalchemy.Engine, 'before_cursor_execute', _check_sql)
        self.addCleanup(event.remove, sqlalchemy.Engine,
                        'before_cursor_execute', _check_sql)

    def _only_cell(self, upstream):
        """Let a process see its own cell, whatever another thread targets."""
        @functools.wraps(upstream)
        def get_context_manager(context):
            if _current.get() is None or context.db_connection is not None:
                return upstream(context)
            return self._database

        return get_context_manager


def _start_inside(upstream):
    @functools.wraps(upstream)
    def start(thread):
        if _current.get() is not None:
            thread.run = functools.partial(
                contextvars.copy_context().run, _until_killed, thread.run)
        upstream(thread)

    return start


def _until_killed(run) -> None:
    try:
        run()
    except names.Killed:
        # Dead threads tell no tales.
        pass


def _submit_inside(upstream):
    @functools.wraps(upstream)
    def submit(executor, function, *args, **kwargs):
        # Also when there is none: the pool's thread may belong to one.
        return upstream(executor, contextvars.copy_context().run, function,
                        *args, **kwargs)

    return submit


def _own_options(upstream):
    @functools.wraps(upstream)
    def getattribute(conf, name):
        process = _current.get()
        if process is not None and name in process.options:
            return process.options[name]
        return upstream(conf, name)

    return getattribute


def _only_alive(upstream):
    @functools.wraps(upstream)
    def send(*args, timeout=None, call_monitor_timeout=None, **kwargs):
        check()
        if call_monitor_timeout is not None:
            # RabbitMQ's driver gives up a long call when he who works on it
            # has not been heard of for this time. Here he is never heard of:
            # it is given up when nobody alive would work for so long.
            timeout = min(timeout, 10 * call_monitor_timeout)
        return upstream(*args, timeout=timeout, **kwargs)

    return send


def _check_sql(*args) -> None:
    check()
