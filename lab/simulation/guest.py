# SPDX-License-Identifier: Apache-2.0

"""A guest, the link it moves over, and what may happen on the way.

The values that the model of a migration (:mod:`.model`) works with: bytes and
seconds only.
"""

import dataclasses
import enum

PAGE_BYTES = 4096


@dataclasses.dataclass(frozen=True)
class Guest:
    """A guest, and the pace of its writes while nothing slows it down."""

    memory: int           #: bytes of RAM
    working_set: int = 0  #: bytes that it writes over and over
    dirty_rate: float = 0.0  #: bytes/s that it writes

    def __post_init__(self):
        if not 0 <= self.working_set <= self.memory:
            raise ValueError('the working set is part of the memory')
        if self.dirty_rate and not self.working_set:
            raise ValueError('a guest that writes has a working set')

    def dirtied(self, seconds: float) -> float:
        """Return the bytes of distinct pages that the guest writes."""
        return min(self.working_set, self.dirty_rate * seconds)


@dataclasses.dataclass(frozen=True)
class Link:
    """The network between two hosts, and what it costs to use it."""

    bandwidth: float           #: bytes/s
    setup: float = 0.05        #: s until QEMU begins to send memory
    switch_over: float = 0.15  #: s for the state of the devices
    page_miss: float = 0.0006  #: s that the guest waits for a missing page


class Phase(enum.Enum):
    SETUP = 'setup'
    PRE_COPY = 'pre-copy'
    STOP_AND_COPY = 'stop-and-copy'  # suspended, the rest is sent
    SWITCH_OVER = 'switch-over'      # suspended, only the devices are sent
    POST_COPY = 'post-copy'
    INTERRUPTED = 'post-copy, interrupted'  # QEMU's postcopy-paused
    COMPLETED = 'completed'
    CANCELLED = 'cancelled'
    LOST = 'lost'                    # the source died after the switch


#: The phases in which the job is over.
ENDED = frozenset({Phase.COMPLETED, Phase.CANCELLED, Phase.LOST})

#: The phases in which the guest belongs to the source.
ON_SOURCE = frozenset({Phase.SETUP, Phase.PRE_COPY, Phase.STOP_AND_COPY,
                       Phase.CANCELLED})


class Happening(enum.Enum):
    ITERATION = 'iteration'      # a pass over the memory begins
    SUSPENDED = 'suspended'      # on the source, to send the rest
    SWITCHED = 'switched'        # suspended on the source, for post-copy
    RESUMED = 'resumed'          # on the destination, memory incomplete
    INTERRUPTED = 'interrupted'  # the stream of post-copy is broken
    RECOVERED = 'recovered'      # post-copy goes on
    COMPLETED = 'completed'      # the destination has all memory


@dataclasses.dataclass(frozen=True)
class Event:
    time: float
    what: Happening
    iteration: int


def converges(guest: Guest, link: Link, max_downtime: float) -> bool:
    """Say whether pre-copy of a running guest ends by itself.

    Each pass leaves ``dirty_rate / bandwidth`` of the one before, up to the
    working set; it ends when what is left fits the downtime.
    """
    return (guest.dirty_rate < link.bandwidth
            or guest.working_set <= max_downtime * link.bandwidth)
