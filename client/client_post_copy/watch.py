# SPDX-License-Identifier: Apache-2.0

"""Follow live migrations until they end.

The loop of ``nova ... --poll`` and of ``openstack server migrate --wait``.
"""

from collections.abc import Iterator, Sequence
import time
from typing import NamedTuple

from client_post_copy import display
from client_post_copy import microversion
from client_post_copy import progress
from client_post_copy import queries

# Between two looks at a server, and at least between two servers.
INTERVAL_S = 1.0
PACE_S = 0.1
# Give up when the cloud has not answered for so long.
PATIENCE_S = 60.0
# Looks at a server after its migration has ended: Nova updates the server
# shortly before or after the migration.
SETTLING_LOOKS = 30

ENDED = ('completed', 'cancelled', 'error', 'failed')

# Its details say for how long the server was degraded after the switch.
_DEGRADED = 'compute_live_migration_post_copy_degraded'


def refusal(error: queries.NotAnswered | queries.Refused, option: str) -> str:
    """Return why a migration that cannot be watched is not requested.

    :param error: raised by :class:`Watch`
    :param option: the option that asked for the watch
    """
    if isinstance(error, queries.Forbidden):
        reason = ('%s needs permission to list migrations (policy '
                  'os_compute_api:os-migrations:index). Leave out %s, or ask '
                  'an administrator' % (option, option))
    else:
        reason = str(error)
    return '%s. %s' % (reason, microversion.NOTHING_REQUESTED)


class Outcome(NamedTuple):
    """How the migration of a server has ended."""

    server: queries.Server
    moved: bool             #: False also when the end was not seen
    text: str


class Watch:
    """The next live migration of a server.

    Created before the migration is requested: to tell it from older ones, and
    to refuse the request if the migration could not be watched.

    :raises queries.NotAnswered: the cloud does not answer
    :raises queries.Refused: the user may not list migrations, for example
    """

    def __init__(self, server: queries.Server) -> None:
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
        """Look once; set the text or, after the end, the outcome."""
        try:
            self._look()
        except queries.NotAnswered as error:
            silence = time.monotonic() - self._answered
            if silence >= PATIENCE_S:
                self._give_up(error)
            self.text = ('%s: no answer from the cloud, retrying'
                         % self.server.name)
        except queries.Refused as error:
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
            # List once more: the migration may have begun and ended since.
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
        except queries.Forbidden:
            self._sees_bytes = False
            return None
        return next((seen for seen in found if seen.id > self._last_id), None)

    def _newer(self) -> progress.Seen | None:
        newest = self.server.newest_migration()
        return newest if newest and newest.id > self._last_id else None

    def _settle(self) -> None:
        """End the watch when Nova has finished with the server."""
        self._settling -= 1
        state = self.server.state()
        if state.is_idle or self._settling <= 0:
            self._end(self._ended, state)

    def _end(self, migration: progress.Seen | None,
             state: queries.State) -> None:
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
                'shown to administrators by "%s"' % (
                    self.server.EVENT_COMMAND % {'server': self.server.id,
                                                 'request': request})
                if request else 'not recorded')
        self.outcome = Outcome(self.server, False, '%s. %s. Reason: %s' % (
            'The migration did not start' if migration is None else
            'Migration %d ended with status %s' % (migration.id,
                                                   migration.status),
            where, '; '.join(dict.fromkeys(reasons))))

    def _newest_events(self) -> tuple[str | None, list[queries.Event]]:
        try:
            return self.server.newest_events()
        except queries.Refused:
            return None, []

    def _give_up(self, error: Exception) -> None:
        self.outcome = Outcome(
            self.server, False,
            'The migration of server %s was requested, but the result is '
            'unknown: %s. The migration continues without this command; see '
            '"%s".' % (self.server, error, self.server.list_command))


def _details(events: list[queries.Event], result: str,
             event: str | None = None) -> list[str]:
    # Each service that a request went through may record the same.
    return list(dict.fromkeys(
        each.details for each in events
        if each.details and each.result == result
        and event in (None, each.event)))


def follow(watches: Sequence[Watch],
           shown: display.Display) -> Iterator[Outcome]:
    """Show the progress, and yield the outcome of each migration at its end.

    The last line of each phase stays on the terminal.

    :raises KeyboardInterrupt: when the user stops watching
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
        shown.say('Stopped watching. The migrations continue:')
        for watch in pending:
            if watch.outcome is None:
                shown.say('  ' + watch.server.list_command)
        raise


def _show_look(watch: Watch, shown: display.Display) -> None:
    phase, text = watch.phase, watch.text
    watch.look()
    if shown.rewrites:
        # The last line of a phase stays.
        if watch.phase != phase or watch.outcome:
            shown.say(text)
    elif watch.text != text:
        shown.say(watch.text)


def _now(finished: int, pending: list[Watch]) -> str:
    texts = '; '.join(watch.text for watch in pending)
    total = finished + len(pending)
    if total == 1:
        return texts
    return '%d of %d finished; %s' % (finished, total, texts)
