# SPDX-License-Identifier: Apache-2.0

"""libvirt's events, for those who wait for something to happen to a guest.

One registration on the connection that nova-compute shares serves all
migrations. What happens to a domain itself is told to Nova, for which libvirt
takes no second listener, and handed on by the driver. Events may get lost with
a connection, so whoever waits looks now and then by itself.
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


class Signals:
    """What has happened to one guest, and a way to wait for more.

    :param listen: sees to it that events come
    """

    def __init__(self, listen: Callable[[], None]) -> None:
        self._listen = listen
        self._happened = threading.Event()
        self._boundary = (0, 0.0)   # which, and when
        #: what libvirt told of the whole migration when it was complete
        self.completed: job.Statistics | None = None

    def at_boundary(self, iteration: int) -> None:
        """Dirty pages were collected, so many times by now."""
        self._boundary = (iteration, time.monotonic())
        self.wake()

    def since_boundary(self, iteration: int) -> float:
        """Return the seconds since dirty pages were collected.

        :param iteration: how many times they were, by the statistics, which
            may know earlier than the event, and the event may be lost
        :returns: 0 if libvirt has not told of it
        """
        told, at = self._boundary
        return time.monotonic() - at if told == iteration else 0.0

    def wake(self, *_ignored: typing.Any) -> None:
        """Let who waits look at once."""
        self._happened.set()

    def wait(self, timeout: float) -> None:
        """Wait until something happens, or for so many seconds."""
        if not self._happened.wait(timeout):
            self._listen()
        self._happened.clear()


class Dispatcher:
    """Hands libvirt's events on to those who wait for a guest."""

    def __init__(self, host: libvirt_host.Host) -> None:
        self._host = host
        self._waiting: dict[str, Signals] = {}
        self._connection = None
        self._lock = threading.Lock()

    def subscribe(self, uuid: str) -> Signals:
        """Return the signals of a guest from now on."""
        signals = self._waiting[uuid] = Signals(self.listen)
        self.listen()
        return signals

    def unsubscribe(self, uuid: str) -> None:
        self._waiting.pop(uuid, None)

    def wake(self, uuid: str) -> None:
        """Let who waits for a guest look at once."""
        if signals := self._waiting.get(uuid):
            signals.wake()

    def wake_all(self) -> None:
        """Let all of them look at once."""
        for signals in list(self._waiting.values()):
            signals.wake()

    def listen(self) -> None:
        """See to it that events come, also after libvirt was restarted."""
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
                LOG.warning('libvirt reports no events of migrations, which '
                            'are watched by looking now and then: %s', exc)
            self._connection = connection

    def _callbacks(self) -> typing.Iterator[
            tuple[int, Callable[..., None]]]:
        yield libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION, self._iteration
        yield libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED, self._completed

    # Called in libvirt's thread, which must not be kept waiting.

    def _iteration(self, _connection, domain, iteration, _opaque) -> None:
        if signals := self._waiting.get(domain.UUIDString()):
            signals.at_boundary(iteration)

    def _completed(self, _connection, domain, stats, _opaque) -> None:
        if signals := self._waiting.get(domain.UUIDString()):
            signals.completed = job.read(stats)
            signals.wake()
