# SPDX-License-Identifier: Apache-2.0

"""The answers of a server to ping."""

import re
import subprocess
import threading
import time


class Answers:
    """The times at which an address answered, on the monotonic clock.

    :param address: IPv4
    :param interval: seconds between two questions
    """

    def __init__(self, address: str, interval: float = 0.1) -> None:
        self._times: list[float] = []
        # What ping prints is on the other clock.
        self._offset = time.monotonic() - time.time()
        self._ping = subprocess.Popen(
            ['ping', '-D', '-n', '-i', str(interval), address], text=True,
            bufsize=1, stdout=subprocess.PIPE)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        for line in self._ping.stdout:
            # [1700000000.123456] 64 bytes from 198.18.92.50: ...
            if answer := re.match(r'\[([0-9.]+)\] \d+ bytes from', line):
                self._times.append(float(answer[1]) + self._offset)

    def times(self) -> list[float]:
        """Return those so far, oldest first (s)."""
        return list(self._times)

    def newest(self) -> float:
        return self._times[-1] if self._times else 0.0

    def stop(self) -> None:
        self._ping.terminate()
        self._thread.join()
        self._ping.wait()
