# SPDX-License-Identifier: Apache-2.0

"""Model of how much memory a guest dirties in a given time.

Pure: no libvirt, no clock, no log. A guest dirties fewer pages than it makes
writes, because it writes to the same pages again. Two observations over
different times show how much fewer: twice the time makes twice the dirty pages
where a guest walks through its memory, and no more dirty pages where it stays
in a small hot set.
"""

import math
import typing

# Exponent by which dirty pages grow with time if there is one observation:
# between not at all (0) and in proportion (1).
USUAL_GROWTH = 0.5
# Two durations that differ by this factor tell how dirty pages grow. The less
# they differ, the less they tell: a measurement and a pass are two ways to
# observe, each with its error.
APART_FACTOR = 2.0


class Observation(typing.NamedTuple):
    seconds: float      #: how long the guest was observed
    dirtied: float      #: bytes of the pages that it dirtied meanwhile


class Workload(typing.NamedTuple):
    """Dirtying behaviour of a guest, as far as observed."""

    memory: int                     #: bytes that the guest uses
    #: oldest first; the newest counts most, because guests change
    observations: tuple[Observation, ...] = ()

    def observe(self, seconds: float, dirtied: float) -> 'Workload':
        """Return the workload with one more observation."""
        seen = Observation(max(seconds, 0.001), min(dirtied, self.memory))
        return self._replace(observations=(*self.observations[-1:], seen))

    @property
    def known(self) -> bool:
        return bool(self.observations)

    def dirtied(self, seconds: float) -> float:
        """Return how much memory the guest is expected to dirty.

        :param seconds: duration
        :returns: bytes of dirty pages; 0 if nothing was observed
        """
        if not self.known:
            return 0.0
        last = self.observations[-1]
        expected: float = (
            last.dirtied * (seconds / last.seconds) ** self._growth())
        return min(expected, self.memory)

    def _growth(self) -> float:
        """Return the exponent by which dirty pages grow with time."""
        if len(self.observations) < 2:
            return USUAL_GROWTH
        before, last = self.observations
        times = math.log(last.seconds / before.seconds)
        trust = min(abs(times) / math.log(APART_FACTOR), 1.0)
        if not trust:
            return USUAL_GROWTH
        growth = 1.0
        if min(before.dirtied, last.dirtied) >= 1:
            growth = math.log(last.dirtied / before.dirtied) / times
        return (trust * min(max(growth, 0.0), 1.0) +
                (1 - trust) * USUAL_GROWTH)
