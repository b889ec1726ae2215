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


"""What the person who started the demo sees while it runs."""

import sys
import time
from typing import TextIO


class Progress:
    """Lines that stay, and one line that is rewritten in between.

    Where the stream is no terminal, nothing is rewritten: an update is a
    line of its own, at most one in ``interval`` seconds.
    """

    def __init__(self, stream: TextIO = sys.stdout, interval: float = 2.0):
        self._stream = stream
        self._interval = interval
        self._rewritten = False
        self._shown = -interval

    def say(self, text: str = '') -> None:
        """Print a line that stays."""
        if self._rewritten:
            print(file=self._stream)
            self._rewritten = False
        print(text, file=self._stream, flush=True)

    def update(self, text: str) -> None:
        """Show what is going on at this moment."""
        now = time.monotonic()
        if self._stream.isatty():
            print('\r\033[K' + text, end='', file=self._stream, flush=True)
            self._rewritten = True
        elif now - self._shown >= self._interval:
            print(text, file=self._stream, flush=True)
            self._shown = now
