# SPDX-License-Identifier: Apache-2.0

"""How much of its memory a guest writes to in a given time.

A pure model of what was observed: no libvirt, no clock, no log. The pages that
a guest has written to after a while are fewer than its writes, because it
comes back to the same pages. How much fewer, two observations over different
times tell: twice the time makes twice the pages where a guest walks through
its memory, and no more pages at all where it stays in a small hot set.
"""

import math
import typing

# How the pages grow with time, as an exponent, where one observation is all
# there is: between not at all (0) and in proportion (1).
USUAL_GROWTH = 0.5
# Two times less apart than this factor say nothing about growth.
APART_FACTOR = 1.3


class Observation(typing.NamedTuple):
    seconds: float      #: how long it was observed
    dirtied: float      #: bytes of the pages that it wrote to meanwhile


class Workload(typing.NamedTuple):
    """A guest, as far as it is known."""

    memory: int                     #: bytes that it uses
    #: oldest first; the newest says most, because guests change
    observations: tuple[Observation, ...] = ()

    def observe(self, seconds: float, dirtied: float) -> 'Workload':
        """Return the workload with one observation more."""
        seen = Observation(max(seconds, 0.001), min(dirtied, self.memory))
        return self._replace(observations=(*self.observations[-1:], seen))

    @property
    def known(self) -> bool:
        return bool(self.observations)

    def dirtied(self, seconds: float) -> float:
        """Expect how much it will write to.

        :param seconds: how long
        :returns: bytes of pages; 0 where nothing was observed
        """
        if not self.known:
            return 0.0
        last = self.observations[-1]
        expected: float = (
            last.dirtied * (seconds / last.seconds) ** self._growth())
        return min(expected, self.memory)

    def _growth(self) -> float:
        """Return the exponent by which pages grow with time."""
        if len(self.observations) < 2:
            return USUAL_GROWTH
        before, last = self.observations
        times = math.log(last.seconds / before.seconds)
        if abs(times) < math.log(APART_FACTOR):
            return USUAL_GROWTH
        if min(before.dirtied, last.dirtied) < 1:
            return 1.0
        growth = math.log(last.dirtied / before.dirtied) / times
        return min(max(growth, 0.0), 1.0)
