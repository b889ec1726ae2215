# SPDX-License-Identifier: Apache-2.0

"""The seconds of the simulation: its clock, and when TCP sends again."""

import time

# Real seconds between two looks at the clock.
TICK_S = 0.005

# TCP retransmits what was not acknowledged after so long, and doubles the
# time with each attempt, up to two minutes.
RETRANSMISSION_S = 0.2
RETRANSMISSION_MAX_S = 120.0


def next_retransmission(lost: float, now: float) -> float:
    """Return when TCP next retransmits what was first lost at a time (s)."""
    wait = RETRANSMISSION_S
    again = lost + wait
    while again < now:
        wait = min(2 * wait, RETRANSMISSION_MAX_S)
        again += wait
    return again


class Clock:
    """The seconds of the simulation: real time, scaled, or stopped."""

    def __init__(self, speed: float = 1.0):
        self.speed = speed
        self._begun = time.monotonic()
        self._stopped_at: float | None = None

    def now(self) -> float:
        if self._stopped_at is not None:
            return self._stopped_at
        return (time.monotonic() - self._begun) * self.speed

    @property
    def stopped(self) -> bool:
        return self._stopped_at is not None

    def stop(self) -> None:
        self._stopped_at = self.now()

    def skip(self, seconds: float) -> None:
        """Go on for some simulated seconds at once, while stopped."""
        assert self._stopped_at is not None
        self._stopped_at += seconds

    def go_on(self) -> None:
        if self._stopped_at is not None:
            self._begun = time.monotonic() - self._stopped_at / self.speed
            self._stopped_at = None
