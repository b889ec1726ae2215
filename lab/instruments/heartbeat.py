# SPDX-License-Identifier: Apache-2.0

"""The guest's heartbeat, read from its serial console.

A console is a TCP port of the QEMU process on the host where the guest runs.
A migrating guest has two: it falls silent on one and continues on the other.
Lines sent while nobody was connected are lost, but each line carries the
counts since boot, so no count is.
"""

from collections.abc import Callable
import dataclasses
import itertools
import re
import selectors
import socket
import threading
import time

from lab import guest
from lab.instruments import record
from lab import layout

Address = tuple[str, int]

BEAT_BYTES = guest.BEAT_MIB * layout.MIB
RECONNECT_S = 0.25    # between two attempts to open a console
# Beats since boot, wrong pages since boot. A line that was cut in two by the
# migration, or read from its middle, does not match and is left out.
LINE = re.compile(rb'([0-9a-f]{8}) ([0-9a-f]{8})')


@dataclasses.dataclass
class _Console:
    address: Address
    connection: socket.socket
    rest: bytes = b''     # the line that is not complete


class Heartbeat:
    """Reads all consoles of one guest, in a thread of its own.

    :param clock: seconds; stamps each heartbeat
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic):
        self._clock = clock
        self._wanted: dict[Address, float] = {}     # when to open it next
        self._opened: dict[Address, socket.socket] = {}
        self._samples: list[record.Sample] = []
        self._ended = threading.Event()
        #: pages since boot that were not what the guest had written
        self.wrong_pages = 0
        #: how often the guest had not done more than before: it was started
        #: anew, or a second copy of it is running
        self.setbacks = 0
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def follow(self, address: Address) -> None:
        """Listen to one more console; it need not be there yet."""
        # A new dict: the thread may be walking through the old one.
        self._wanted = {address: 0.0} | self._wanted

    def tell(self, character: str) -> None:
        """Send a command of one character (``boot.S``) to the guest."""
        for connection in self._opened.values():
            try:
                connection.send(character.encode())
            except OSError:
                pass        # the guest has left this host

    def stop(self) -> None:
        """Close the consoles and end the thread."""
        self._ended.set()
        self._thread.join()

    def samples(self) -> list[record.Sample]:
        """Return all heartbeats so far, oldest first."""
        return list(self._samples)

    def silence(self) -> float:
        """Return seconds since the last heartbeat; infinite before any."""
        if not self._samples:
            return float('inf')
        return self._clock() - self._samples[-1].time

    def rate(self, seconds: float = 1.0) -> float:
        """Return the rate of work in the last seconds (bytes/s)."""
        since = self._clock() - seconds
        recent = [sample.work for sample in itertools.takewhile(
            lambda sample: sample.time >= since, reversed(self.samples()))]
        return (recent[0] - recent[-1]) / seconds if recent else 0.0

    def _read(self) -> None:
        with selectors.DefaultSelector() as consoles:
            while not self._ended.is_set():
                self._open(consoles)
                for key, _ in consoles.select(timeout=RECONNECT_S):
                    self._take(consoles, key.data)
            for key in list(consoles.get_map().values()):
                key.data.connection.close()

    def _open(self, consoles: selectors.BaseSelector) -> None:
        """Connect to the consoles that are not connected, at intervals."""
        opened = {key.data.address for key in consoles.get_map().values()}
        now = time.monotonic()
        for address, due in self._wanted.items():
            if address in opened or now < due:
                continue
            self._wanted[address] = now + RECONNECT_S
            try:
                connection = socket.create_connection(address, RECONNECT_S)
            except OSError:
                continue
            consoles.register(connection, selectors.EVENT_READ,
                              _Console(address, connection))
            # A new dict: somebody may be walking through the old one.
            self._opened = self._opened | {address: connection}

    def _take(self, consoles: selectors.BaseSelector,
              console: _Console) -> None:
        try:
            received = console.connection.recv(65536)
        except OSError:
            received = b''
        if not received:
            consoles.unregister(console.connection)
            console.connection.close()
            return
        *lines, console.rest = (console.rest + received).split(b'\n')
        for line in lines:
            if match := LINE.fullmatch(line):
                self._beat(*(int(number, 16) for number in match.groups()))

    def _beat(self, beats: int, wrong_pages: int) -> None:
        sample = record.Sample(self._clock(), beats * BEAT_BYTES)
        if self._samples and sample.work <= self._samples[-1].work:
            self.setbacks += 1
        self.wrong_pages = max(self.wrong_pages, wrong_pages)
        self._samples.append(sample)
