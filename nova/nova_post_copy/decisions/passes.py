# SPDX-License-Identifier: Apache-2.0

"""Where a pass of pre-copy begins and ends, from what was sent and is left.

Pure: no libvirt, no clock, no log. A pass sends what was left at its
beginning. That QEMU has collected dirty pages does not say that a pass is
over: QEMU 11.1 collects them 15 times a second if the migration may switch to
post-copy. Older releases collect them as soon as what a pass has left fits the
allowed downtime, and send the rest in the next pass; so a pass ends there for
all of them, and what is left is known exactly, because it was just collected.
"""

import typing

from nova_post_copy.decisions import workload

# The bandwidth by which QEMU finds that the rest fits is not exactly ours.
TOLERANCE_FACTOR = 1.2
# Where dirty pages were collected once in so much of a pass, QEMU itself has
# ended the pass, whatever it takes the bandwidth for.
MOST_SHARE = 0.5
# Less than so much of a pass says little about the guest: a hot set that is
# only half sent looks half as large.
ENOUGH_SHARE = 0.6

# An observation in which pages were watched for less of the time is compared
# with none.
WATCHED_SHARE = 0.75


class Point(typing.NamedTuple):
    """A migration at one moment of its pre-copy; bytes."""

    seconds: float      #: since it began
    visited: float      #: memory that was sent, or did not have to be
    sent: float         #: of it over the network
    remaining: float    #: memory that is known to be left
    collections: int    #: how often dirty pages were collected

    def earlier(self, seconds: float, bandwidth: float) -> 'Point':
        """Return the point so many seconds before, with all that is known.

        :param bandwidth: bytes per second in between
        """
        amount = bandwidth * seconds
        return self._replace(
            seconds=self.seconds - seconds, visited=self.visited - amount,
            sent=self.sent - amount, remaining=self.remaining + amount)


class Span(typing.NamedTuple):
    """What happened between two points."""

    begin: Point
    end: Point

    @property
    def seconds(self) -> float:
        return self.end.seconds - self.begin.seconds

    @property
    def sent(self) -> float:
        """Bytes that were sent over the network."""
        return max(self.end.sent - self.begin.sent, 0.0)

    @property
    def share(self) -> float:
        """Share of what was left at the beginning that was dealt with."""
        return ((self.end.visited - self.begin.visited) /
                max(self.begin.remaining, 1.0))

    @property
    def left(self) -> float:
        """Bytes of what was left at the beginning that still are."""
        return max(self.begin.remaining * (1 - self.share), 0.0)

    @property
    def unwatched(self) -> float:
        """Share of the time for which a page that is sent is not watched.

        Where dirty pages are collected at the end only, a page counts as
        dirtied whenever it was written to. Where they are collected all the
        time, it does once it was sent, which on average is half of the time.
        """
        collected = self.end.collections - self.begin.collections
        return (1 - 1 / max(collected, 1)) / 2

    def watched(self, memory: float) -> float:
        """Return for how many seconds pages were watched, on average.

        :param memory: that the guest uses (bytes)
        """
        sent = min(self.begin.remaining / max(memory, 1.0), 1.0)
        return self.seconds * (1 - sent * self.unwatched)

    def dirtied(self, memory: float) -> float:
        """Return bytes of the pages that the guest has dirtied.

        Those that are left from the beginning are not seen again; they are
        taken to be dirtied as the rest of the memory is.

        :param memory: that the guest uses (bytes)
        """
        again = (self.end.visited + self.end.remaining -
                 self.begin.visited - self.begin.remaining)
        seen = 1 - min(self.left / max(memory, 1.0), 0.5)
        return min(max(again, 0.0) / seen, self.end.remaining)

    def is_pass(self, fits: float) -> bool:
        """Tell whether a pass is over at the end.

        :param fits: bytes that fit the allowed downtime
        """
        collected = self.end.collections - self.begin.collections
        return collected > 0 and (
            self.left <= fits * TOLERANCE_FACTOR or
            collected == 1 and self.share >= MOST_SHARE)


class History(typing.NamedTuple):
    """What a pre-copy has shown until its last boundary."""

    guest: workload.Workload
    first: Point        #: when it was first seen
    boundary: Point     #: the last one, where this pass began
    observed: Point     #: up to where the guest was observed
    collections: int    #: that were looked at
    complete: int = 0   #: passes that were seen to their end
    unwatched: float = 0.0  #: at the last observation (:class:`Span`)
    #: when the rest was first and last found to fit the allowed downtime, if
    #: it did at the last boundary; seconds
    fits: tuple[float, float] | None = None

    @classmethod
    def begin(cls, guest: workload.Workload, now: Point) -> 'History':
        return cls(guest, now, now, now, now.collections)

    def is_first_pass(self, total: float) -> bool:
        """Tell whether memory is sent for the first time.

        :param total: the guest's memory (bytes)
        """
        return not self.complete and self.first.visited < total

    @property
    def fitting(self) -> float | None:
        """Seconds for which the rest has fitted; None: it does not."""
        return None if self.fits is None else self.fits[1] - self.fits[0]

    def look(self, now: Point, lag: float, bandwidth: float,
             downtime: float) -> 'History':
        """Return the history with what can be learned now.

        :param lag: seconds since dirty pages were last collected
        :param bandwidth: bytes per second
        :param downtime: allowed downtime in seconds
        """
        if now.collections <= self.collections:
            return self
        at = now
        if now.remaining:
            # libvirt counts by a clock that may be set. Once all is sent,
            # nobody knows since when.
            at = now.earlier(
                max(min(lag, now.seconds - self.boundary.seconds), 0.0),
                bandwidth)
        seen = self._replace(collections=now.collections)
        if Span(self.boundary, at).is_pass(bandwidth * downtime):
            return seen._end_pass(at, bandwidth * downtime)
        return seen

    def _end_pass(self, at: Point, fits: float) -> 'History':
        seen = self._replace(boundary=at, complete=self.complete + 1,
                             fits=None)
        span = Span(self.observed, at)
        if not self.complete or span.share >= ENOUGH_SHARE:
            seen = seen._observe(span)
        if at.remaining <= fits:
            since, _until = self.fits or (at.seconds, at.seconds)
            seen = seen._replace(fits=(since, at.seconds))
        return seen

    def _observe(self, span: Span) -> 'History':
        memory = self.guest.memory
        guest = self.guest
        if span.watched(memory) < span.seconds * WATCHED_SHARE:
            # In which order the pages were sent counts for too much. It does
            # not tell how dirty pages grow with time.
            guest = workload.Workload(memory)
        return self._replace(
            observed=span.end, unwatched=span.unwatched,
            guest=guest.observe(span.watched(memory), span.dirtied(memory)))
