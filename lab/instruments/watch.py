# SPDX-License-Identifier: Apache-2.0

"""What libvirt on both hosts reports of one server during a migration."""

from __future__ import annotations

import collections
from collections.abc import Callable
import functools
import threading
import typing

import libvirt

from lab.instruments import record

if typing.TYPE_CHECKING:
    from lab.cloud import hosts as lab_hosts

# Of the domain on the source and on the destination.
_ON_SOURCE = {
    (libvirt.VIR_DOMAIN_EVENT_SUSPENDED,
     libvirt.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY): record.SWITCHED,
}
_ON_DESTINATION = {
    (libvirt.VIR_DOMAIN_EVENT_RESUMED,
     libvirt.VIR_DOMAIN_EVENT_RESUMED_MIGRATED): record.MEMORY_COMPLETE,
}


class Watch:
    """Records the events of a server, on connections of its own.

    :param run: events are added to the newest of its attempts
    :param clock: seconds; stamps each event
    """

    def __init__(self, source: lab_hosts.Host, destination: lab_hosts.Host,
                 run: record.Record, clock: Callable[[], float]) -> None:
        self._server = run.server
        self._run = run
        self._clock = clock
        self._statistics: dict[int, dict[str, int]] = (
            collections.defaultdict(dict))
        self._registered: list[tuple[libvirt.virConnect, int]] = []
        _listen()
        self._source = self._connect(source, _ON_SOURCE)
        self._destination = self._connect(destination, _ON_DESTINATION)
        self._register(self._source,
                       libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED,
                       self._job_completed, None)

    @property
    def statistics(self) -> dict[str, int]:
        """The newest :meth:`libvirt.virDomain.jobStats` of this attempt.

        Empty until memory is copied.
        """
        return self._statistics[len(self._run.attempts)]

    def look(self) -> None:
        """Update the statistics."""
        try:
            self._take(self._source.lookupByUUIDString(
                self._server).jobStats())
        except libvirt.libvirtError:
            return      # the domain is gone, or busy: the last ones hold

    def is_idle(self) -> bool:
        """Whether only the source has the domain, and no job runs on it."""
        try:
            job = self._source.lookupByUUIDString(self._server).jobInfo()
            return (job[0] == libvirt.VIR_DOMAIN_JOB_NONE
                    and self._server not in {
                        domain.UUIDString() for domain
                        in self._destination.listAllDomains()})
        except libvirt.libvirtError:
            return False

    def close(self) -> None:
        """Stop recording, and close the connections."""
        for connection, number in self._registered:
            connection.domainEventDeregisterAny(number)
        for connection in (self._source, self._destination):
            connection.close()

    def _connect(self, host: lab_hosts.Host,
                 names: dict[tuple[int, int], str]) -> libvirt.virConnect:
        connection = host.connect()
        self._register(connection, libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                       self._lifecycle, names)
        return connection

    def _register(self, connection: libvirt.virConnect, event: int,
                  callback: Callable[..., None], opaque: object) -> None:
        self._registered.append((connection, connection.domainEventRegisterAny(
            None, event, callback, opaque)))

    def _lifecycle(self, connection: libvirt.virConnect,
                   domain: libvirt.virDomain, event: int, detail: int,
                   names: dict[tuple[int, int], str]) -> None:
        name = names.get((event, detail))
        if domain.UUIDString() == self._server and name is not None:
            self._note(name)

    def _job_completed(self, connection: libvirt.virConnect,
                       domain: libvirt.virDomain,
                       statistics: dict[str, int], opaque: object) -> None:
        if domain.UUIDString() == self._server:
            self._take(statistics)

    def _take(self, statistics: dict[str, int]) -> None:
        """Keep statistics, also the last ones, which come when a job ends."""
        if not statistics.get('memory_processed') or not self._run.attempts:
            return
        if not self.statistics:
            self._note(record.RUNNING)
        self.statistics.update(statistics)
        attempt = self._run.attempts[-1]
        attempt.transferred = self.statistics['memory_processed']
        # QEMU counts from 1, in its first pass, and counts the switch too.
        begun = 1 if attempt.at(record.SWITCHED) is None else 2
        attempt.passes = max(
            0, self.statistics.get('memory_iteration', 0) - begun)

    def _note(self, name: str) -> None:
        if self._run.attempts:
            self._run.attempts[-1].note(name, self._clock())


@functools.cache
def _listen() -> None:
    """Run libvirt's event loop; only later connections get events."""
    libvirt.virEventRegisterDefaultImpl()
    libvirt.registerErrorHandler(lambda context, error: None, None)

    def run() -> None:
        while True:
            libvirt.virEventRunDefaultImpl()

    threading.Thread(target=run, daemon=True).start()
