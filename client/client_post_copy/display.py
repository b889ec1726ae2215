# SPDX-License-Identifier: Apache-2.0

"""Progress lines on a terminal or in a file."""

import shutil
from typing import TextIO


class Display:
    """Permanent lines and, on a terminal, a status line below them."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout
        self.rewrites = stdout.isatty()
        self._rewriting = False

    def say(self, text: str) -> None:
        """Print a permanent line."""
        self._write(text + '\n')
        self._rewriting = False

    def show(self, text: str) -> None:
        """Rewrite the status line; print nothing if this is no terminal."""
        if self.rewrites:
            # A text that wraps could not be rewritten.
            self._write(text[:shutil.get_terminal_size().columns - 1])
            self._rewriting = True

    def clear(self) -> None:
        """Remove the status line."""
        self._write('')
        self._rewriting = False

    def _write(self, text: str) -> None:
        self._stdout.write(('\r\033[K' if self._rewriting else '') + text)
        self._stdout.flush()
