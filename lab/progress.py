# SPDX-License-Identifier: Apache-2.0

"""Lines that tell what the lab is doing, with the time that has passed."""

import shutil
import sys
import threading
import time

_STAMP = '[%5.1f s] '


class Progress:
    """Prints ``[  1.2 s] text``; may be used by several threads.

    :param interval: seconds between two updates where the stream is no
        terminal: there nothing is rewritten, each is a line that stays
    """

    def __init__(self, stream=None, interval: float = 2.0) -> None:
        self._stream = stream or sys.stderr
        self._interval = interval
        self._begin = time.monotonic()
        self._lock = threading.Lock()
        self._rewriting = False
        self._updated = -interval

    def __call__(self, text: str) -> None:
        """Print a line that stays."""
        with self._lock:
            self._print('\n' if self._rewriting else '', text, '\n')
            self._rewriting = False

    def update(self, text: str) -> None:
        """Show what goes on at this moment, in place of the last update."""
        with self._lock:
            elapsed = time.monotonic() - self._begin
            if self._stream.isatty():
                # What would not fit in the line could not be rewritten.
                width = shutil.get_terminal_size().columns - len(_STAMP % 0)
                self._print('\r\033[K', text[:width - 1], '')
                self._rewriting = True
            elif elapsed - self._updated >= self._interval:
                self._print('', text, '\n')
                self._updated = elapsed

    def _print(self, before: str, text: str, after: str) -> None:
        stamp = _STAMP % (time.monotonic() - self._begin)
        self._stream.write(before + stamp + text + after)
        self._stream.flush()
