# SPDX-License-Identifier: Apache-2.0

"""The processes of a simulated cloud, each a group of threads of this one.

A simulated nova-compute has its own host name and state folder. Threads that
it starts belong to it, and so does what they submit to a thread pool. Once it
is killed, each of its threads ends at its next call to libvirt, the database
or another process, so no other process hears of it again.
"""

from collections.abc import Callable
from collections.abc import Mapping
import contextvars
import functools
import os
import threading

import fixtures
import futurist
from oslo_config import cfg
from oslo_db import exception as oslo_db_exception
import oslo_messaging
from oslo_messaging._drivers import impl_fake
import sqlalchemy
from sqlalchemy import event

from lab.simulation import names
from nova.db.main import api

_current: contextvars.ContextVar['Process | None'] = contextvars.ContextVar(
    'process', default=None)


class Process:
    """A process: what is started inside ``with process`` belongs to it."""

    def __init__(self, host: str, folder: str, instances_path: str) -> None:
        """Prepare a process that has no threads yet.

        :param folder: parent of the state folder (``state_path``) of a host
        :param instances_path: where the host has the disks of servers
        """
        self.host = host
        self.alive = True
        self._connected = True
        self._held: list[Callable[[], None]] = []
        #: options whose values are its own
        self.options = {
            'host': host,
            'state_path': os.path.join(folder, host),
            'instances_path': instances_path,
        }

    # The control network: message queue, database and other services

    @property
    def connected(self) -> bool:
        return self._connected

    def disconnect(self) -> None:
        """Take the control network away; what is sent to it waits."""
        self._connected = False

    def reconnect(self) -> None:
        self._connected = True
        while self._held:
            self._held.pop(0)()

    def hold(self, message: Callable[[], None]) -> None:
        """Keep a message until the process can be reached again."""
        self._held.append(message)

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


def connected() -> bool:
    """Tell whether the process of the calling thread reaches others."""
    process = _current.get()
    return process is None or process.connected


def host() -> str | None:
    """Return the host of the calling thread's process."""
    process = _current.get()
    return None if process is None else process.host


class Processes(fixtures.Fixture):
    """Assigns threads to processes; use after upstream's CellDatabases."""

    def __init__(self, database, processes: Mapping[str, Process]) -> None:
        """Prepare for processes.

        :param database: the enginefacade of the cell that they belong to
        :param processes: those that are known by their hosts
        """
        self._database = database
        self._processes = processes

    def _setUp(self):
        for name, replacement in (
                ('threading.Thread.start', _start_inside(
                    threading.Thread.start)),
                ('futurist.ThreadPoolExecutor.submit', _submit_inside(
                    futurist.ThreadPoolExecutor.submit)),
                ('oslo_config.cfg.ConfigOpts.__getattr__', _own_options(
                    cfg.ConfigOpts.__getattr__)),
                ('oslo_messaging._drivers.impl_fake.FakeDriver.send',
                 self._only_alive(impl_fake.FakeDriver.send)),
                ('nova.db.main.api.get_context_manager',
                 self._only_cell(api.get_context_manager))):
            self.useFixture(fixtures.MonkeyPatch(name, replacement))
        event.listen(sqlalchemy.Engine, 'before_cursor_execute', _check_sql)
        self.addCleanup(event.remove, sqlalchemy.Engine,
                        'before_cursor_execute', _check_sql)

    def _only_cell(self, upstream):
        """Keep a process in its own cell, whatever another thread targets."""
        @functools.wraps(upstream)
        def get_context_manager(context):
            if _current.get() is None or context.db_connection is not None:
                return upstream(context)
            return self._database

        return get_context_manager

    def _only_alive(self, upstream):
        """Let only who is alive send, and only to who can be reached."""
        @functools.wraps(upstream)
        def send(driver, target, ctxt, message, wait_for_reply=None,
                 timeout=None, call_monitor_timeout=None, **kwargs):
            check()
            if call_monitor_timeout is not None:
                # RabbitMQ's driver gives up a long call when the server has
                # sent no heartbeat for this time. There are no heartbeats
                # here, so the call is given up when it takes longer than a
                # live server would.
                timeout = min(timeout, 10 * call_monitor_timeout)
            receiver = self._processes.get(target.server)
            reachable = receiver is None or receiver.connected
            if not connected() or not reachable and wait_for_reply:
                raise oslo_messaging.MessagingTimeout(
                    'No reply on topic %s' % target.topic)
            request = functools.partial(
                upstream, driver, target, ctxt, message,
                wait_for_reply=wait_for_reply, timeout=timeout, **kwargs)
            return request() if reachable else receiver.hold(request)

        return send


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
        pass    # the thread ends with its process


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


def _check_sql(*args) -> None:
    check()
    if not connected():
        raise oslo_db_exception.DBConnectionError()
