# SPDX-License-Identifier: Apache-2.0

"""An exact model of a migration in bytes and seconds, for any way to switch.

Pre-copy sends what was dirty when a pass began, and collects at its end what
was written meanwhile, as QEMU does; it ends when the rest fits the allowed
downtime. Post-copy sends what is left, once.

No clock and no libvirt: the way decides at the moments at which nova-compute
looks, and sees what libvirt would report then, with realistic noise.
"""

from collections.abc import Iterator
import dataclasses
import math
import random
import typing

from lab import layout
from lab.switching import guests
from nova_post_copy.migration import pre_copy
from nova_post_copy.virt.libvirt import dirty_rate
from nova_post_copy.virt.libvirt import job

# From the request, when the dirty rate is first measured, to the first byte.
HEAD_START_S = 1.0
# From a boundary, or the end of a measurement, until nova-compute looks.
LAG_S = 0.05
QUICK_BEAT_S = 0.25
# A switch suspends the guest at least for so long.
SWITCH_OVER_S = 0.1
# QEMU samples so many pages of each GiB.
SAMPLES_PER_GIB = 512
# Largest relative error of the bandwidth that libvirt reports.
JITTER = 0.05


class Measurement(typing.NamedTuple):
    end: float          #: s after the first byte
    length: int         #: s
    mib_per_second: int


class Look(typing.NamedTuple):
    """A migration as nova-compute sees it at one moment."""

    info: job.Statistics
    lag: float          #: s since the boundary that it was woken by
    measurement: Measurement
    now: float          #: s after the first byte of memory


class Way(typing.Protocol):
    """Decides about the switch."""

    def switches(self, look: Look) -> bool:
        """Return whether to switch now."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a migration; seconds and bytes."""

    seconds: float      #: from the first byte of memory until the last
    degraded: float     #: of them after the switch
    passes: int         #: of pre-copy that were begun
    moved: float
    ended: bool = True  #: False: given up

    def cost(self, weight: float) -> float:
        return self.seconds + weight * self.degraded


class Migration:
    """One migration of a guest.

    :param bandwidth: bytes/s
    :param limited: the operator has told nova-compute the bandwidth
    :param patience: complete passes after which it is given up
    """

    def __init__(self, guest: guests.Guest, bandwidth: float,
                 downtime: float = 0.5, seed: int = 0,
                 limited: bool = True, patience: float = 20) -> None:
        self._guest = guest
        self._bandwidth = bandwidth
        self._downtime = downtime
        self._limit = patience * guest.used / bandwidth
        self._random = random.Random(seed)
        # Memory follows the disk.
        self._disk_seconds = guest.disk / bandwidth
        self._measurement = self._measure(dirty_rate.seconds(
            guest.memory, bandwidth if limited else 0))
        self._iteration = 1
        self._begin = 0.0
        # Bytes of each region, and of the rest, that this pass has to send.
        self._dirty = [region.size for region in guest.regions]
        self._idle = guest.idle
        self._moved = 0.0

    def run(self, way: Way) -> Outcome:
        """Migrate the guest and return the outcome."""
        while True:
            length = self._pass_size / self._bandwidth
            for now, lag in self._looks(length):
                if way.switches(self._look(now, lag)):
                    return self._switch(now)
            self._end_pass(self._begin + length)
            if self._pass_size <= self._downtime * self._bandwidth:
                return self._outcome(
                    self._begin + self._pass_size / self._bandwidth)
            if self._begin > self._limit:
                return self._outcome(math.inf, ended=False)

    @property
    def _pass_size(self) -> float:
        return sum(self._dirty) + self._idle

    def _measure(self, length: int) -> Measurement:
        """Sample pages before and after, as QEMU does."""
        begin = self._disk_seconds + HEAD_START_S   # ago
        total = self._guest.memory
        # The activity of a guest is told from the first byte of memory on.
        share = sum(region.dirtied(-begin, length - begin)
                    for region in self._guest.regions) / total
        samples = SAMPLES_PER_GIB * total // guests.GIB
        hits = sum(self._random.random() < share for _ in range(samples))
        return Measurement(length - begin, length, int(
            hits / samples * total / layout.MIB / length))

    def _looks(self, length: float) -> Iterator[tuple[float, float]]:
        """Return when nova-compute looks in this pass, and the lag (s)."""
        moments = {self._begin + min(LAG_S, length / 2)}
        measured = self._measurement.end
        if self._iteration == 1 and 0 < measured < length:
            moments.add(min(math.ceil(measured / QUICK_BEAT_S) * QUICK_BEAT_S
                            + LAG_S, length))
        if self._iteration == 1:
            # The first figure of the bandwidth is awaited.
            moments.add(min(LAG_S + pre_copy.BEGUN_S, length))
        return ((now, now - self._begin) for now in sorted(moments))

    def _look(self, now: float, lag: float) -> Look:
        sent = (now - self._begin) * self._bandwidth
        remaining = self._pass_size - sent
        if self._iteration == 1:
            # QEMU counts zero pages as well, which are spread over the memory.
            remaining *= self._guest.memory / self._guest.used
        return Look(job.Statistics(
            memory_total=self._guest.memory,
            memory_processed=int(self._moved + sent),
            memory_remaining=int(remaining),
            memory_visited=int(self._visited(sent)),
            memory_iteration=self._iteration,
            memory_bps=int(self._bandwidth * self._random.uniform(
                1 - JITTER, 1 + JITTER)),
            disk_total=int(self._guest.disk),
            disk_processed=int(self._guest.disk), disk_remaining=0,
            page_requests=0, elapsed=self._disk_seconds + now, downtime=0.0),
            lag, self._measurement, now)

    def _visited(self, sent: float) -> float:
        """Return what was sent or found to be zeros."""
        if self._iteration == 1:
            return sent * self._guest.memory / self._guest.used
        return (self._moved + sent +
                self._guest.memory - self._guest.used)

    def _end_pass(self, end: float) -> None:
        self._moved += self._pass_size
        self._dirty = [region.dirtied(self._begin, end)
                       for region in self._guest.regions]
        self._idle = 0.0
        self._iteration += 1
        self._begin = end

    def _switch(self, now: float) -> Outcome:
        sent = (now - self._begin) * self._bandwidth
        open_share = max(0.0, 1 - sent / self._pass_size)
        left = self._idle * open_share
        for region, dirty in zip(self._guest.regions, self._dirty,
                                 strict=True):
            written = region.dirtied(self._begin, now)
            again = written - region.among(written, dirty) * open_share
            # One incomplete page of the host is sent as a whole.
            left += region.whole(min(dirty * open_share + again, region.size),
                                 self._guest.page_size)
        self._moved += sent
        seconds = SWITCH_OVER_S + left / self._bandwidth
        return Outcome(now + seconds, seconds, self._iteration,
                       self._moved + left)

    def _outcome(self, end: float, ended: bool = True) -> Outcome:
        return Outcome(end, 0.0, self._iteration,
                       self._moved + self._pass_size * ended, ended)
