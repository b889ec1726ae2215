# SPDX-License-Identifier: Apache-2.0

"""Something that looks all the time, in a thread of its own."""

import abc
import contextlib
import threading


class Looker(abc.ABC):
    """Looks from the beginning until it is stopped.

    :param interval: seconds between two looks
    """

    #: what keeps it from seeing anything this time, and is no error
    BLINDED: tuple[type[Exception], ...] = ()

    def __init__(self, interval: float) -> None:
        self._interval = interval
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    @abc.abstractmethod
    def look(self) -> None:
        """Look once."""

    def _run(self) -> None:
        while not self._ended.wait(self._interval):
            with contextlib.suppress(*self.BLINDED):
                self.look()
