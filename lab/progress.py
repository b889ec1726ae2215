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


"""Lines that tell what the lab is doing, with the time that has passed."""

import sys
import threading
import time


class Progress:
    """Prints ``[  1.2 s] text``; may be used by several threads."""

    def __init__(self, stream=None) -> None:
        self._stream = stream or sys.stderr
        self._begin = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, text: str) -> None:
        with self._lock:
            print('[%5.1f s] %s' % (time.monotonic() - self._begin, text),
                  file=self._stream, flush=True)
