# SPDX-License-Identifier: Apache-2.0

"""Deliver libvirt's events to the monitors of migrations.

One registration on the connection that nova-compute shares serves all
migrations. Lifecycle events go to Nova, because libvirt accepts no second
listener, and are forwarded by the driver. Events may be missed when a
connection breaks, so monitors also poll.
"""

from collections.abc import Callable
import threading
import time
import typing

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

from oslo_log import log as logging

from nova import exception
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.virt.libvirt import job

LOG = logging.getLogger(__name__)

# QEMU 11.1 collects dirty pages 15 times a second. A boundary that comes so
# soon after a look waits for its turn.
BOUNDARY_REST_S = 0.1


class Signals:
    """Events of one guest, and a way to wait for the next.

    :param listen: registers for events again if necessary
    """

    def __init__(self, listen: Callable[[], None]) -> None:
        self._listen = listen
        self._happened = threading.Event()
        # Something other than a boundary has.
        self._urgent = threading.Event()
        self._looked = 0.0
        self._boundary = (0, 0.0)   # iteration and time
        #: libvirt's statistics of the whole migration, once completed
        self.completed: job.Statistics | None = None

    def at_boundary(self, iteration: int) -> None:
        """Record that dirty pages were collected for this many times."""
        self._boundary = (iteration, time.monotonic())
        self._happened.set()

    def since_boundary(self, iteration: int) -> float:
        """Return the seconds since dirty pages were last collected.

        :param iteration: number of collections by the statistics, which may be
            ahead of the event, and the event may be missed
        :returns: 0 if the event has not arrived
        """
        told, at = self._boundary
        return time.monotonic() - at if told == iteration else 0.0

    def wake(self, *_ignored: typing.Any) -> None:
        """End the current wait."""
        self._urgent.set()
        self._happened.set()

    def wait(self, timeout: float) -> None:
        """Wait for an event, for at most ``timeout`` seconds."""
        if self._happened.wait(timeout):
            self._urgent.wait(
                self._looked + BOUNDARY_REST_S - time.monotonic())
        else:
            self._listen()
        self._happened.clear()
        self._urgent.clear()
        self._looked = time.monotonic()


class Dispatcher:
    """Delivers libvirt's events to the subscribers of guests."""

    def __init__(self, host: libvirt_host.Host) -> None:
        self._host = host
        self._waiting: dict[str, Signals] = {}
        self._connection = None
        self._lock = threading.Lock()

    def subscribe(self, uuid: str) -> Signals:
        """Return an object that receives the events of a guest from now on."""
        signals = self._waiting[uuid] = Signals(self.listen)
        self.listen()
        return signals

    def unsubscribe(self, uuid: str) -> None:
        """Stop delivering the events of a guest."""
        self._waiting.pop(uuid, None)

    def wake(self, uuid: str) -> None:
        """End the current wait for a guest."""
        if signals := self._waiting.get(uuid):
            signals.wake()

    def wake_all(self) -> None:
        """End the current wait for every guest."""
        for signals in list(self._waiting.values()):
            signals.wake()

    def listen(self) -> None:
        """Register for events, again after a restart of libvirt."""
        try:
            connection = self._host.get_connection()
        except exception.HypervisorUnavailable:
            return
        with self._lock:
            if connection is self._connection:
                return
            try:
                for event, callback in self._callbacks():
                    connection.domainEventRegisterAny(
                        None, event, callback, None)
            except libvirt.libvirtError as exc:
                LOG.warning('libvirt delivers no migration events, polling '
                            'instead: %s', exc)
            self._connection = connection

    def _callbacks(self) -> typing.Iterator[
            tuple[int, Callable[..., None]]]:
        yield libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, self._iteration
        yield libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, self._completed

    # Called in libvirt's thread, which must not block.

    def _iteration(self, _connection, domain, iteration, _opaque) -> None:
        if signals := self._waiting.get(domain.UUIDString()):
            signals.at_boundary(iteration)

    def _completed(self, _connection, domain, stats, _opaque) -> None:
        if signals := self._waiting.get(domain.UUIDString()):
            signals.completed = job.read(stats)
            signals.wake()
