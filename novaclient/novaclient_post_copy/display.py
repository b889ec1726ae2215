# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

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
