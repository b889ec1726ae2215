# SPDX-License-Identifier: Apache-2.0

"""Lines on a terminal or in a file."""

import shutil
from typing import TextIO


class Display:
    """Lines that stay and, on a terminal, one below that is rewritten."""

    def __init__(self, stdout: TextIO) -> None:
        self._stdout = stdout
        self.rewrites = stdout.isatty()
        self._rewriting = False

    def say(self, text: str) -> None:
        """Print a line that stays."""
        self._write(text + '\n')
        self._rewriting = False

    def show(self, text: str) -> None:
        """Rewrite the line below; nothing where that is not possible."""
        if self.rewrites:
            # What does not fit in the line could not be rewritten.
            self._write(text[:shutil.get_terminal_size().columns - 1])
            self._rewriting = True

    def clear(self) -> None:
        """Take away the line below."""
        self._write('')
        self._rewriting = False

    def _write(self, text: str) -> None:
        self._stdout.write(('\r\033[K' if self._rewriting else '') + text)
        self._stdout.flush()
