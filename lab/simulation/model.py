# SPDX-License-Identifier: Apache-2.0

"""A model of the memory of a migrating guest: bytes and seconds only.

No libvirt, no clock and no thread. The caller passes the time and gets the
events up to then. The model is a fluid one: between two events everything
moves at a steady rate, so each event falls on its exact time, however seldom
the caller asks.

The guest walks through its working set, over and over, and writes each page.
Pre-copy sends the whole memory, then what was written meanwhile, and so on,
until the rest fits the allowed downtime. Post-copy suspends the guest, starts
it on the destination, and sends each page that is left once; where the guest
touches a page that is not there yet, it waits for it. While nothing arrives,
because the network is cut or the stream is broken, it soon waits for good.
"""

import math

from lab.simulation import guest

# Tolerance of a float, in bytes and in seconds: far below one page and far
# above the rounding of the sums here.
EPSILON = 1e-6


class Migration:
    """One migration of a guest, from the request on.

    Amounts are bytes, times are seconds on the caller's clock. ``sent`` +
    ``remaining`` is always ``guest.memory`` + ``dirtied_again``: no byte
    appears or is lost.
    """

    def __init__(self, moving: guest.Guest, link: guest.Link,
                 now: float = 0.0, max_downtime: float = 0.3,
                 paused: bool = False):
        """Begin the migration.

        :param max_downtime: s for which pre-copy may suspend the guest
        :param paused: the guest does not run, neither before nor after
        """
        self.guest = moving
        self.link = link
        self.begun = now
        self.now = now
        self.max_downtime = max_downtime
        self.paused = paused
        self.carried = True       #: whether the network carries anything

        self.phase = guest.Phase.SETUP
        self.iteration = 0
        self.sent = 0.0
        self.remaining = float(moving.memory)  #: of this pass
        self.dirtied_again = 0.0  #: bytes that had to be sent once more
        self.missed = 0.0         #: pages that the guest had to wait for
        self.work = 0.0           #: bytes that the guest has written
        self.downtime = 0.0       #: s for which the guest was suspended
        self.ended = None         #: s, when the job was over
        #: time and work at each step; both grow evenly in between
        self.course = [(now, 0.0)]

        self._pass_begun = now
        self._pass_size = self.remaining
        self._dirty = 0.0         # written since the pass began
        self._pause_left = link.setup

    @property
    def elapsed(self) -> float:
        """Seconds since the request, up to the end of the job."""
        return (self.now if self.ended is None else self.ended) - self.begun

    @property
    def suspended(self) -> bool:
        """Whether the migration itself keeps the guest from running."""
        return self.phase in (guest.Phase.STOP_AND_COPY,
                              guest.Phase.SWITCH_OVER)

    @property
    def dirty_rate(self) -> float:
        """Bytes/s of distinct pages that the guest dirties at present."""
        if self.paused or self.phase is not guest.Phase.PRE_COPY:
            return 0.0
        return self.guest.dirty_rate

    def advance(self, now: float) -> list[guest.Event]:
        """Advance the model to a time.

        :param now: s, not before the time of the last call
        :returns: the events since the last call, in order
        """
        if now < self.now - EPSILON:
            raise ValueError('time does not run backwards')
        events: list[guest.Event] = []
        while self.phase not in guest.ENDED:
            step = self._until_next_event()
            if step > now - self.now:
                break
            self._pass_time(step)
            self._next_phase(events)
        self._pass_time(max(0.0, now - self.now))
        return events

    def start_post_copy(self) -> list[guest.Event]:
        """Suspend the guest and continue on the destination.

        :raises RuntimeError: unless the migration is in pre-copy
        """
        if self.phase is not guest.Phase.PRE_COPY:
            raise RuntimeError('no pre-copy to switch from: %s'
                               % self.phase.value)
        self._collect_dirty_pages()
        self.phase = guest.Phase.SWITCH_OVER
        self._pause_left = self.link.switch_over
        return [self._event(guest.Happening.SWITCHED)]

    def cancel(self) -> None:
        """Cancel the migration; the guest stays on the source.

        :raises RuntimeError: where the source no longer has the guest
        """
        if self.phase in guest.ENDED or self.phase not in guest.ON_SOURCE:
            raise RuntimeError('nothing to cancel: %s' % self.phase.value)
        self._end(guest.Phase.CANCELLED)

    def interrupt(self) -> list[guest.Event]:
        """Break the stream; both sides keep what they have.

        :raises RuntimeError: unless the migration has switched
        """
        if self.phase not in (guest.Phase.SWITCH_OVER, guest.Phase.POST_COPY):
            raise RuntimeError('no post-copy to interrupt: %s'
                               % self.phase.value)
        self.phase = guest.Phase.INTERRUPTED
        return [self._event(guest.Happening.INTERRUPTED)]

    def recover(self) -> list[guest.Event]:
        """Resume post-copy with a new stream.

        :raises RuntimeError: unless the migration is interrupted
        """
        if self.phase is not guest.Phase.INTERRUPTED:
            raise RuntimeError('no interruption to recover from: %s'
                               % self.phase.value)
        self.phase = guest.Phase.POST_COPY
        self.carried = True
        return [self._event(guest.Happening.RECOVERED)]

    def lose(self) -> None:
        """Lose the source after the switch: no complete memory is left.

        :raises RuntimeError: where the source still has the guest
        """
        if self.phase in guest.ENDED or self.phase in guest.ON_SOURCE:
            raise RuntimeError('nothing is lost: %s' % self.phase.value)
        self._end(guest.Phase.LOST)

    @property
    def _bandwidth(self) -> float:
        """Bytes/s that arrive at present."""
        return self.link.bandwidth if self.carried else 0.0

    def _until_next_event(self) -> float:
        """Return the seconds in which nothing but steady flow happens."""
        if not self.carried or self.phase is guest.Phase.INTERRUPTED:
            return math.inf
        if self.phase in (guest.Phase.SETUP, guest.Phase.SWITCH_OVER):
            return self._pause_left
        left = self.remaining / self.link.bandwidth
        if self.phase is guest.Phase.STOP_AND_COPY:
            return left + self._pause_left
        return left

    def _pass_time(self, seconds: float) -> None:
        self.work += self._work_in(seconds)
        if self.suspended:
            self.downtime += seconds
        if self.phase in (guest.Phase.PRE_COPY, guest.Phase.POST_COPY,
                          guest.Phase.STOP_AND_COPY):
            amount = min(self.remaining, seconds * self._bandwidth)
            self.sent += amount
            self.remaining -= amount
            # What stop-and-copy has left after the memory is the devices.
            if (self.phase is guest.Phase.STOP_AND_COPY and not self.remaining
                    and self.carried):
                self._pause_left -= seconds - amount / self.link.bandwidth
        elif self.carried:
            self._pause_left -= seconds
        self._dirty = min(self.guest.working_set,
                          self._dirty + self.dirty_rate * seconds)
        self.now += seconds
        self.course.append((self.now, self.work))

    def _work_in(self, seconds: float) -> float:
        """Return the bytes that the guest writes in this time.

        A page costs ``1 / rate`` s, and ``page_miss`` more where it is
        missing; the missing share falls steadily while the link is busy.
        """
        if self.paused or self.suspended or not self.guest.dirty_rate:
            return 0.0
        if self.phase in (guest.Phase.INTERRUPTED, guest.Phase.LOST) or (
                self.phase is guest.Phase.POST_COPY and not self.carried):
            # It meets a missing page after some milliseconds.
            return 0.0
        if self.phase is not guest.Phase.POST_COPY:
            return self.guest.dirty_rate * seconds
        if not self.link.page_miss:
            return self.guest.dirty_rate * seconds
        # In the first pass anything may be missing, later the working set.
        span = (self.guest.memory if self.iteration == 1
                else self.guest.working_set)
        page = guest.PAGE_BYTES / self.guest.dirty_rate
        slow = self.link.page_miss * self.remaining / span
        fall = self.link.page_miss * self.link.bandwidth / span
        left = max(0.0, slow - fall * seconds)
        pages = math.log1p((slow - left) / (page + left)) / fall
        # Of the time, what was not spent on writing was spent on waiting.
        self.missed += (seconds - pages * page) / self.link.page_miss
        return pages * guest.PAGE_BYTES

    def _next_phase(self, events: list[guest.Event]) -> None:
        if self.phase is guest.Phase.SETUP:
            self.phase = guest.Phase.PRE_COPY
            self._begin_pass(events)
        elif self.phase is guest.Phase.PRE_COPY:
            self.remaining = 0.0
            self._collect_dirty_pages()
            self._begin_pass(events)
            allowed = self.max_downtime * self.link.bandwidth
            if self.remaining <= allowed + EPSILON:
                self.phase = guest.Phase.STOP_AND_COPY
                self._pause_left = self.link.switch_over
                events.append(self._event(guest.Happening.SUSPENDED))
        elif self.phase is guest.Phase.SWITCH_OVER:
            self.phase = guest.Phase.POST_COPY
            events.append(self._event(guest.Happening.RESUMED))
        else:
            self.remaining = 0.0
            self._end(guest.Phase.COMPLETED)
            events.append(self._event(guest.Happening.COMPLETED))

    def _begin_pass(self, events: list[guest.Event]) -> None:
        self.iteration += 1
        self._pass_size = self.remaining
        events.append(self._event(guest.Happening.ITERATION))

    def _collect_dirty_pages(self) -> None:
        """Add to the rest of the pass what was written since it began.

        Pages that this pass has not reached yet are in the rest already. The
        model knows no single pages: it assumes that the pass has reached the
        same share of the written pages as of all pages.
        """
        if self._pass_size:
            again = self._dirty * (1 - self.remaining / self._pass_size)
            self.remaining += again
            self.dirtied_again += again
        self._dirty = 0.0

    def _end(self, phase: guest.Phase) -> None:
        self.phase = phase
        self.ended = self.now

    def _event(self, what: guest.Happening) -> guest.Event:
        return guest.Event(self.now, what, self.iteration)
