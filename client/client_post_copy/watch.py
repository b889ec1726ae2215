# SPDX-License-Identifier: Apache-2.0

"""Follow live migrations until they have ended.

The loop of ``nova ... --poll`` and of ``openstack server migrate --wait``,
over a :class:`Server` that each of the two brings along. All that is asked
may by default be asked by whoever may live migrate: a manager of the project
sees the migrations of the project, without their hosts. Only the reasons of a
failure are for administrators.
"""

import abc
from collections.abc import Iterator, Sequence
import time
from typing import NamedTuple

from client_post_copy import display
from client_post_copy import microversion
from client_post_copy import progress

# Seconds between two looks at a server, and between two servers at least.
INTERVAL_S = 1.0
PACE_S = 0.1
# Seconds without an answer after which the cloud is not asked any more.
PATIENCE_S = 60.0
# Looks at a server whose migration has ended. Nova sets the server right
# before or a moment after that.
SETTLING_LOOKS = 30

ENDED = ('completed', 'cancelled', 'error', 'failed')

# With the figures of the time after the switch.
_DEGRADED = 'compute_live_migration_post_copy_degraded'


class NotAnswered(Exception):
    """The cloud did not answer. It may when it is asked again."""


class Refused(Exception):
    """The cloud does not answer this."""


class Forbidden(Refused):
    """It does not answer this user."""


def refusal(error: NotAnswered | Refused, option: str) -> str:
    """Return why a migration that could not be followed is not requested.

    :param error: what was raised by :class:`Watch`
    :param option: what asked for the watch
    """
    if isinstance(error, Forbidden):
        reason = (
            '%s watches the migration, and you are not allowed to see '
            'migrations (policy os_compute_api:os-migrations:index). Leave '
            'out %s, or ask an administrator' % (option, option))
    else:
        reason = str(error)
    return '%s. %s' % (reason, microversion.NOTHING_REQUESTED)


def error_of(status: int) -> type[NotAnswered | Refused]:
    """Return what an HTTP status of 400 and above means for a watch."""
    if status == 403:
        return Forbidden
    return NotAnswered if status == 429 or status >= 500 else Refused


class State(NamedTuple):
    """A server at one moment."""

    status: str
    is_idle: bool           #: Nova has nothing to do with it
    host: str | None        #: for administrators only
    fault: str | None


class Event(NamedTuple):
    """Of an instance action."""

    event: str
    result: str | None
    details: str | None     #: for administrators only


class Server(abc.ABC):
    """A server of a cloud, and how it is asked.

    :raises NotAnswered, Refused: each of the methods
    """

    id: str
    name: str
    #: What a user enters to see the migrations, and to see what happened in a
    #: request; with ``%(server)s`` and ``%(request)s``.
    LIST_COMMAND: str
    EVENT_COMMAND: str

    def __str__(self) -> str:
        return '%s (%s)' % (self.name, self.id)

    @property
    def list_command(self) -> str:
        return self.LIST_COMMAND % {'server': self.id}

    @abc.abstractmethod
    def newest_migration(self) -> progress.Seen | None:
        """Return the newest live migration of it that the user asked for."""

    @abc.abstractmethod
    def migrations_in_progress(self) -> list[progress.Seen]:
        """Return the live migrations of it with what has been copied."""

    @abc.abstractmethod
    def state(self) -> State:
        """Return how it is now."""

    @abc.abstractmethod
    def newest_events(self) -> tuple[str | None, list[Event]]:
        """Return the newest request to live migrate it, and its events.

        :returns: its ID, or None when there is none; the events as far as the
            user may see them
        """


class Outcome(NamedTuple):
    """How the migration of a server has ended."""

    server: Server
    moved: bool             #: False also when the end was not seen
    text: str


class Watch:
    """The next live migration of a server.

    Made before the migration is requested, to know it from an older one, and
    to refuse before anything is moved when it could not be followed.

    :raises NotAnswered, Refused: when the user may not see it, for example
    """

    def __init__(self, server: Server) -> None:
        self.server = server
        self.phase = ''
        self.text = '%s: requested' % server.name
        self.outcome: Outcome | None = None
        self._story = progress.Story()
        self._sees_bytes = True
        self._ended: progress.Seen | None = None
        self._settling = SETTLING_LOOKS
        self._answered = time.monotonic()
        newest = server.newest_migration()
        self._last_id = newest.id if newest else 0

    def look(self) -> None:
        """Look once, and set the text or, at the end, the outcome."""
        try:
            self._look()
        except NotAnswered as error:
            silence = time.monotonic() - self._answered
            if silence >= PATIENCE_S:
                self._give_up(error)
            self.text = ('%s: the cloud does not answer, and is asked again'
                         % self.server.name)
        except Refused as error:
            self._give_up(error)
        else:
            self._answered = time.monotonic()

    def _look(self) -> None:
        if self._ended is not None:
            self._settle()
            return
        seen = self._in_progress() or self._newer()
        if seen is None:
            state = self.server.state()
            # Asked once more: it may have begun and ended in between.
            if state.is_idle and self._newer() is None:
                self._end(None, state)
        elif seen.status in ENDED:
            self._ended = seen
            self._settle()
        else:
            self.phase = seen.phase or seen.status
            self.text = '%s, migration %d: %s' % (
                self.server.name, seen.id, self._story.tell(seen))

    def _in_progress(self) -> progress.Seen | None:
        if not self._sees_bytes:
            return None
        try:
            found = self.server.migrations_in_progress()
        except Forbidden:
            self._sees_bytes = False
            return None
        return next((seen for seen in found if seen.id > self._last_id), None)

    def _newer(self) -> progress.Seen | None:
        newest = self.server.newest_migration()
        return newest if newest and newest.id > self._last_id else None

    def _settle(self) -> None:
        """End when Nova has nothing more to do with the server."""
        self._settling -= 1
        state = self.server.state()
        if state.is_idle or self._settling <= 0:
            self._end(self._ended, state)

    def _end(self, migration: progress.Seen | None, state: State) -> None:
        where = 'Server %s is %s%s' % (
            self.server, state.status,
            ' on ' + state.host if state.host else '')
        request, events = self._newest_events()
        if migration is not None and migration.status == 'completed':
            self.outcome = Outcome(self.server, True, 'Complete. ' + '. '.join(
                [where, *_details(events, 'Success', _DEGRADED)]))
            return
        reasons = _details(events, 'Error')
        if state.fault and state.status == 'ERROR':
            reasons.append(state.fault)
        if not reasons:
            reasons.append(
                'recorded for administrators, "%s"' % (
                    self.server.EVENT_COMMAND % {'server': self.server.id,
                                                 'request': request})
                if request else 'not recorded')
        self.outcome = Outcome(self.server, False, '%s. %s. Reason: %s' % (
            'The migration has not begun' if migration is None else
            'Migration %d has ended as %s' % (migration.id, migration.status),
            where, '; '.join(dict.fromkeys(reasons))))

    def _newest_events(self) -> tuple[str | None, list[Event]]:
        try:
            return self.server.newest_events()
        except Refused:
            return None, []

    def _give_up(self, error: Exception) -> None:
        self.outcome = Outcome(
            self.server, False,
            'The migration of server %s was requested, and its end was '
            'not seen: %s. It goes on without this command; see "%s".' % (
                self.server, error, self.server.list_command))


def _details(events: list[Event], result: str,
             event: str | None = None) -> list[str]:
    # The same comes from each service that a request went through.
    return list(dict.fromkeys(
        each.details for each in events
        if each.details and each.result == result
        and event in (None, each.event)))


def follow(watches: Sequence[Watch],
           shown: display.Display) -> Iterator[Outcome]:
    """Show the migrations, and return the outcome of each when it is known.

    A line stays for each phase that is over.

    :raises KeyboardInterrupt: when the user does not want to see any more
    """
    pending = list(watches)
    try:
        while pending:
            for watch in pending:
                _show_look(watch, shown)
                if watch.outcome:
                    shown.clear()
                    yield watch.outcome
            pending = [watch for watch in pending if watch.outcome is None]
            if pending:
                shown.show(_now(len(watches) - len(pending), pending))
                time.sleep(max(INTERVAL_S, PACE_S * len(pending)))
    except KeyboardInterrupt:
        shown.say('Not watched any more. What was requested goes on:')
        for watch in pending:
            if watch.outcome is None:
                shown.say('  ' + watch.server.list_command)
        raise


def _show_look(watch: Watch, shown: display.Display) -> None:
    phase, text = watch.phase, watch.text
    watch.look()
    if shown.rewrites:
        # The last state of a phase stays to be seen.
        if watch.phase != phase or watch.outcome:
            shown.say(text)
    elif watch.text != text:
        shown.say(watch.text)


def _now(over: int, pending: list[Watch]) -> str:
    texts = '; '.join(watch.text for watch in pending)
    if over + len(pending) == 1:
        return texts
    return '%d of %d over; %s' % (over, over + len(pending), texts)
