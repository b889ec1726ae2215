# SPDX-License-Identifier: Apache-2.0

"""The guests of the experiment: what they write to, and when.

A guest consists of regions of memory, each written to in its own way. The
number of distinct pages written in a period follows from the writes alone, so
the model is exact and needs no time steps.
"""

from collections.abc import Callable, Iterator
import dataclasses
import math
import random as chance

from lab import layout

PAGE_BYTES = 4096
GIB = 1 << 30

#: Share of its pace that a guest has reached after so many seconds: the time
#: integral of its activity, which is between 0 and 1.
Activity = Callable[[float], float]


def steady(seconds: float) -> float:
    return seconds


@dataclasses.dataclass(frozen=True)
class Region:
    """A part of the memory.

    :param size: bytes
    :param pace: bytes of writes per second, while it is active
    :param random: pages are written at random; otherwise one after the other,
        over and over
    """

    size: float
    pace: float
    random: bool = False
    activity: Activity = steady

    def dirtied(self, begin: float, end: float) -> float:
        """Return bytes of the distinct pages written between two times."""
        writes = self.pace * (self.activity(end) - self.activity(begin))
        if self.random:
            return -self.size * math.expm1(-writes / self.size)
        return min(self.size, writes)

    def among(self, written: float, dirty: float) -> float:
        """Return bytes of what was written that were dirty before.

        Random writes hit dirty pages in proportion to their share. Sequential
        writes reach first the pages that were not written to for longest.
        """
        if self.random:
            return written * dirty / self.size
        return max(0.0, written - (self.size - dirty))

    def whole(self, dirty: float, page_size: int) -> float:
        """Return bytes of the host's pages that contain dirty bytes."""
        if page_size == PAGE_BYTES or not dirty:
            return dirty
        if self.random:
            share = -math.expm1(page_size / PAGE_BYTES * math.log1p(
                -min(dirty / self.size, 1 - 1e-12)))
            return self.size * share
        return min(self.size, dirty + page_size)


@dataclasses.dataclass(frozen=True)
class Guest:
    """A guest to move; amounts in bytes.

    :param used: of the memory, what is not zero; zeros take no time
    :param known: of the memory, what libvirt counts as used
    :param disk: copied before the memory
    """

    name: str
    memory: int
    regions: tuple[Region, ...]
    used: int
    known: int
    page_size: int = PAGE_BYTES
    disk: float = 0.0

    @property
    def idle(self) -> float:
        """Bytes that are used, but not written to."""
        return max(0.0, self.used - sum(
            region.size for region in self.regions))


@dataclasses.dataclass(frozen=True)
class Scale:
    """A size of guests (bytes) with a bandwidth (bytes/s)."""

    name: str
    memory: int
    bandwidth: float

    @property
    def complete_pass(self) -> float:
        return self.memory / self.bandwidth


SCALES = (
    Scale('512 MiB at 200 MiB/s', 512 * layout.MIB, 200 * layout.MIB),
    Scale('64 GiB at 1.25 GB/s', 64 * GIB, 1.25e9),
    Scale('256 GiB at 10 GB/s', 256 * GIB, 10e9),
)

# Pace of a busy guest, as a multiple of the bandwidth.
BUSY = 2.0


def _until(moment: float) -> Activity:
    return lambda seconds: min(seconds, moment)


def _since(moment: float) -> Activity:
    return lambda seconds: max(0.0, seconds - moment)


def _bursts(period: float, share: float, offset: float) -> Activity:
    """Return the activity of a guest that is active in bursts.

    :param share: of each period, in which the guest is active
    :param offset: seconds of the first period that have passed
    """
    def activity(seconds: float) -> float:
        whole, rest = divmod(seconds + offset, period)
        return whole * period * share + min(rest, period * share)

    return activity


def kinds(scale: Scale) -> Iterator[Guest]:
    """Return the guests of one size."""
    memory, bandwidth = scale.memory, scale.bandwidth
    once = scale.complete_pass

    def guest(name: str, *regions: Region, used: float = 1.0,
              known: float | None = None, **others) -> Guest:
        return Guest(name, memory, regions, used=int(memory * used),
                     known=int(memory * (used if known is None else known)),
                     **others)

    def hot(share: float, pace: float = BUSY, **others) -> Region:
        return Region(share * memory, pace * bandwidth, **others)

    yield guest('idle', hot(0.01, 0.002, random=True))
    for share in (0.05, 0.25, 0.6, 0.8, 1.0):
        yield guest('hot %d %%' % (share * 100), hot(share))
    for pace in (0.25, 0.5, 0.75, 0.9, 1.0, 2.0):
        yield guest('walks at %g' % pace, hot(1.0, pace))
    yield guest('random 10 % at 2', hot(0.1, 2.0, random=True))
    yield guest('random 50 % at 0.5', hot(0.5, 0.5, random=True))
    yield guest('random, all at 1', hot(1.0, 1.0, random=True))
    yield guest('random, all at 4', hot(1.0, 4.0, random=True))
    yield guest('mixed', hot(0.02), hot(0.3, 0.2, random=True))
    yield guest('busy from 0.5 on', hot(0.8, activity=_since(0.5 * once)))
    yield guest('busy from 1.5 on', hot(0.8, activity=_since(1.5 * once)))
    yield guest('busy until 0.5', hot(0.8, activity=_until(0.5 * once)))
    yield guest('busy until 1.5', hot(0.8, activity=_until(1.5 * once)))
    for period in (0.3, 1.5, 5.0):
        yield guest('bursts of %g' % (period * 0.3), hot(
            0.6, activity=_bursts(period * once, 0.3, period * once / 2)))
    yield guest('balloon', hot(0.2), used=0.25)
    yield guest('zeros not known', hot(0.2), used=0.25, known=1.0)
    yield guest('hot 25 %, 2 MiB pages', hot(0.25), page_size=2 * layout.MIB)
    yield guest('random 5 %, 2 MiB pages', hot(0.05, random=True),
                page_size=2 * layout.MIB)
    if memory >= 16 * GIB:
        yield guest('hot 60 %, 1 GiB pages', hot(0.6), page_size=GIB)
    yield guest('disk, then hot 80 %', hot(0.8), disk=2.0 * memory)


def steady_guests(seed: int, count: int) -> Iterator[tuple[Guest, Scale]]:
    """Return random guests of any size whose behaviour does not change."""
    dice = chance.Random(seed)
    for number in range(count):
        memory = dice.choice((1, 8, 64, 256)) * GIB
        scale = Scale('', memory, memory / dice.choice((2.5, 5, 10, 50, 200)))
        regions = []
        left = 1.0
        for _ in range(dice.choice((1, 1, 2))):
            share = dice.uniform(0.01, left)
            left -= share
            pace = dice.choice((dice.uniform(0.01, 1), dice.uniform(1, 4)))
            regions.append(Region(
                share * memory, pace * scale.bandwidth,
                random=dice.random() < 0.5))
        yield Guest('steady %d' % number, memory, tuple(regions),
                    used=memory, known=memory), scale
