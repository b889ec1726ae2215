# SPDX-License-Identifier: Apache-2.0

"""The replies of a server to ping."""

from collections.abc import Iterable
import re
import subprocess
import threading
import time


class Answers:
    """The times at which an address replied, on the monotonic clock.

    :param address: IPv4
    :param interval: seconds between two echo requests
    """

    def __init__(self, address: str, interval: float = 0.1) -> None:
        self._times: list[float] = []
        # ping prints wall-clock time.
        self._offset = time.monotonic() - time.time()
        self._ping = subprocess.Popen(
            ['ping', '-D', '-n', '-i', str(interval), address], text=True,
            bufsize=1, stdout=subprocess.PIPE)
        self._thread = threading.Thread(
            target=self._read, args=(self._ping.stdout,))
        self._thread.start()

    def _read(self, lines: Iterable[str]) -> None:
        for line in lines:
            # [1700000000.123456] 64 bytes from 198.18.92.50: ...
            if answer := re.match(r'\[([0-9.]+)\] \d+ bytes from', line):
                self._times.append(float(answer[1]) + self._offset)

    def times(self) -> list[float]:
        """Return the times of all replies so far, oldest first (s)."""
        return list(self._times)

    def newest(self) -> float:
        return self._times[-1] if self._times else 0.0

    def stop(self) -> None:
        self._ping.terminate()
        self._thread.join()
        self._ping.wait()
