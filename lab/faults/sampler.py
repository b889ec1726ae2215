# SPDX-License-Identifier: Apache-2.0

"""Looks at a migration from all sides at once, until it is told to stop.

Each side has a thread: libvirt on either host, Nova, and the processes (in
:mod:`.copies`). A side that does not answer, because it is what was broken,
does not keep the others from being seen.
"""

from __future__ import annotations

from collections.abc import Callable
import dataclasses
import threading
import time
import typing

import libvirt

from lab.faults import copies
from lab.faults.observation import Observation
from lab.faults import view
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab.cloud import hosts as lab_hosts

# Seconds between two looks.
_HOST_INTERVAL_S = 0.03
_STATISTICS_INTERVAL_S = 0.2
_NOVA_INTERVAL_S = 0.3
# Seconds that libvirt may need to notice, on both hosts, that a guest moved.
_LIBVIRT_LAG_S = 0.5

_STATES = {
    (libvirt.VIR_DOMAIN_RUNNING, None): view.RUNNING,
    (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY):
        'running (post-copy)',
    (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED):
        'running (post-copy failed)',
    (libvirt.VIR_DOMAIN_PAUSED, None): 'paused',
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION):
        'paused (migration)',
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY):
        view.PAUSED_POST_COPY,
    (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED):
        view.PAUSED_POST_COPY_FAILED,
    (libvirt.VIR_DOMAIN_SHUTDOWN, None): 'in shutdown',
    (libvirt.VIR_DOMAIN_SHUTOFF, None): view.SHUT_OFF,
    (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED):
        'shut off (migrated)',
    (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_CRASHED):
        'shut off (crashed)',
    (libvirt.VIR_DOMAIN_SHUTOFF, libvirt.VIR_DOMAIN_SHUTOFF_FAILED):
        'shut off (failed)',
}


class Domain:
    """The domain of a server on one host, over a connection of its own.

    The connection does not use the network, which may be what is broken.
    """

    def __init__(self, host: lab_hosts.Host, server: str) -> None:
        self._host = host
        self._server = server
        self._connection = None

    def state(self) -> str:
        """Return its state in words; UNKNOWN when libvirt does not answer."""
        domain = self._domain()
        if domain in (view.ABSENT, view.UNKNOWN):
            return domain
        try:
            state, reason = domain.state()
        except libvirt.libvirtError as exc:
            return self._failed(exc)
        return _STATES.get((state, reason)) or _STATES.get(
            (state, None), 'state %d' % state)

    def statistics(self) -> dict:
        """Return those of the running job; {}: none."""
        domain = self._domain()
        try:
            return {} if isinstance(domain, str) else domain.jobStats()
        except libvirt.libvirtError:
            return {}

    def abort_post_copy(self) -> None:
        """Break the stream of a migration that is in post-copy."""
        self._domain().abortJobFlags(libvirt.VIR_DOMAIN_ABORT_JOB_POSTCOPY)

    def _domain(self):
        try:
            if self._connection is None:
                self._connection = self._host.connect_locally()
            return self._connection.lookupByUUIDString(self._server)
        except libvirt.libvirtError as exc:
            return self._failed(exc)

    def _failed(self, exc: libvirt.libvirtError) -> str:
        if exc.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return view.ABSENT
        self._connection = None
        return view.UNKNOWN


class Sampler:
    """Keeps :attr:`view` up to date and writes the time line.

    :param migration: returns Nova's newest migration of the server, or None
    :param shown: returns the status of the server, or None
    :param on_console: called with the address of each new serial port
    """

    def __init__(self, cloud: lab_cloud.Cloud, observation: Observation,
                 migration: Callable[[], dict | None],
                 shown: Callable[[], str | None],
                 on_console: Callable[[tuple[str, int]], None]) -> None:
        self.view = view.View()
        self._cloud = cloud
        self._observation = observation
        self._migration = migration
        self._shown = shown
        self._on_console = on_console
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._source_looked = 0.0   # begin of the look that the view shows
        hosts = (cloud.host(observation.source),
                 cloud.host(observation.destination))
        self.source, self.destination = (
            Domain(host, observation.server) for host in hosts)
        self._threads = [
            threading.Thread(target=self._watch_source, daemon=True),
            threading.Thread(target=self._watch_destination, daemon=True),
            threading.Thread(target=self._watch_nova, daemon=True)]
        self._copies = copies.Copies(
            observation.server, {host.name: host.init.pid for host in hosts},
            self._twice)
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._copies.stop()
        for thread in self._threads:
            thread.join(timeout=wait.scaled(10))

    def _see(self, who: str, **change) -> None:
        with self._lock:
            before, self.view = self.view, dataclasses.replace(
                self.view, **change)
        for name in ('status', 'source', 'destination'):
            if getattr(before, name) != getattr(self.view, name):
                self._observation.note(
                    time.monotonic(), who, str(getattr(self.view, name)))

    def _twice(self, hosts: list[str]) -> None:
        text = ' and '.join(hosts)
        self._observation.note(time.monotonic(), 'copies', text)
        if text not in self._observation.twice:
            self._observation.twice.append(text)

    def _watch_source(self) -> None:
        due = 0.0
        while not self._ended.wait(_HOST_INTERVAL_S):
            looked = time.monotonic()
            state = self.source.state()
            self._see(self._observation.source, source=state)
            self._source_looked = looked
            now = time.monotonic()
            if state == view.RUNNING and now >= due and (
                    self.view.destination != view.ABSENT):
                due = now + _STATISTICS_INTERVAL_S
                seen = self.source.statistics()
                self._see(self._observation.source,
                          iteration=seen.get('memory_iteration', 0),
                          processed=seen.get('memory_processed', 0))

    def _watch_destination(self) -> None:
        known = None
        single = time.monotonic()
        while not self._ended.wait(_HOST_INTERVAL_S):
            state = self.destination.state()
            self._see(self._observation.destination, destination=state)
            if not (state.startswith(view.RUNNING)
                    and self.view.source.startswith(view.RUNNING)):
                single = time.monotonic()
            # What the source's thread saw before that does not count: it may
            # not have looked since.
            elif self._source_looked > single + wait.scaled(_LIBVIRT_LAG_S):
                self._twice([self._observation.source,
                             self._observation.destination])
            if state == view.ABSENT:
                known = None
            elif known is None and (known := self._console()):
                self._on_console(known)

    def _console(self) -> tuple[str, int] | None:
        try:
            return self._cloud.serial_address(
                self._observation.server, self._observation.destination)
        except libvirt.libvirtError:
            return None     # libvirt does not answer

    def _watch_nova(self) -> None:
        while not self._ended.wait(_NOVA_INTERVAL_S):
            migration = self._migration()
            if migration is not None:
                self._see('nova', status=migration['status'])
            if (shown := self._shown()) and (
                    shown not in self._observation.shown):
                self._observation.shown.add(shown)
                self._observation.note(
                    time.monotonic(), 'nova', 'the server is ' + shown)
