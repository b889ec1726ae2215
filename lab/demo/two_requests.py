# SPDX-License-Identifier: Apache-2.0

"""The main job: two requests for the same server, and what came of them.

First upstream's live migration, which does not come to an end and is aborted;
then one with post-copy. Both are made with the ``nova`` command, as a user
makes them. On which hosts, the children of :class:`TwoRequests` know:
``lab.demo.main_job`` and ``lab.demo.simulated``.
"""

from __future__ import annotations

import abc
from collections.abc import Iterator
import time
import typing

from lab import errors
from lab.instruments import last_step
from lab.instruments import record
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab import progress

SERVER = 'busy'
POST_COPY_LIMIT_S = 120

# Passes over memory without an end that are shown, and how many times longer
# than pre_copy_seconds they may take.
_PASSES = 2
_PATIENCE = 6
# Nova's answers to an abort when the migration or the server is in another
# state, or the migration is gone.
_TOO_LATE = (400, 404, 409)


class TwoRequests(abc.ABC):
    """One run.

    :param say: a :class:`lab.progress.Progress`
    :param run: the record of the run, without attempts
    """

    #: seconds that memory is copied, at least, before pre-copy is given up
    pre_copy_seconds: float
    #: seconds of the undisturbed guest that are recorded at both ends
    settled_seconds: float
    #: seconds between two looks at a migration
    poll_seconds: float

    def __init__(self, say: progress.Progress, run: record.Record) -> None:
        self._say = say
        self._record = run

    # What depends on the hosts.

    @abc.abstractmethod
    def _now(self) -> float:
        """Return the time on the record's clock (s)."""

    @abc.abstractmethod
    def _run_nova(self, line: str) -> float:
        """Run a ``nova`` command.

        :returns: when its request went out (s)
        :raises lab.errors.Refused: when Nova refuses the request
        :raises lab.errors.LabError: when it fails, with what it printed
        """

    @abc.abstractmethod
    def _migration(self) -> dict:
        """Return Nova's newest record; its id is None before the first."""

    @abc.abstractmethod
    def _nova_server(self) -> dict:
        """Return the server as Nova shows it to an administrator."""

    @abc.abstractmethod
    def _allocations(self, consumer: str) -> dict[str, dict[str, int]]:
        """Return what a server or migration has in placement, per host."""

    @abc.abstractmethod
    def _look(self, attempt: record.Attempt) -> str:
        """Bring an attempt up to date, and say in some words how far it is."""

    @abc.abstractmethod
    def _left_on_hosts(self) -> str:
        """Say what is to come on the hosts; '': one has the server."""

    @abc.abstractmethod
    def _rate(self, seconds: float) -> float:
        """Return the work of the guest in the last seconds (bytes/s)."""

    @abc.abstractmethod
    def _fit_link(self, rate: float) -> None:
        """Slow the link down to what this guest (bytes/s) can outrun."""

    @abc.abstractmethod
    def _finish(self) -> None:
        """Add heartbeats and proof to the record."""

    # The story.

    def run(self) -> record.Record:
        """Make both requests.

        :raises lab.errors.LabError: when the run cannot go on to its end
        """
        time.sleep(self.settled_seconds)
        rate = self._rate(self.settled_seconds)
        self._say('the guest on %s writes %d MiB/s' % (
            self._record.source, rate / layout.MIB))
        self._fit_link(rate)
        if self._pre_copy():
            self._make_active()
            self._post_copy()
        time.sleep(self.settled_seconds)
        self._finish()
        return self._record

    def _pre_copy(self) -> bool:
        """Show that upstream's live migration does not come to an end."""
        attempt = self._request('nova live-migration', post_copy=False)
        for migration in self._follow(attempt):
            if (attempt.at(record.ABORTED) is not None
                    or not self._is_shown(attempt)):
                continue
            seconds = self._now() - attempt.at(record.RUNNING)
            self._say('in %d s pre-copy has gone through memory %d times, the '
                      'guest has written its working set %d times' % (
                          seconds, attempt.passes,
                          self._rate(seconds) * seconds
                          / self._record.working_set))
            try:
                attempt.note(record.ABORTED, self._command(
                    'nova live-migration-abort %s %d'
                    % (SERVER, migration['id'])))
            except errors.Refused as exc:
                if exc.http_status not in _TOO_LATE:
                    raise
                # It may be over by now: the next look shows it.
                self._say(str(exc))
        outcome = {'aborted': 'did not come to an end',
                   'completed': 'came to an end',
                   'failed': 'failed'}[attempt.result]
        self._record.checks.append(record.Check(
            'pre-copy', attempt.result == 'aborted',
            'Pre-copy alone went through memory %d times, moved %.1f times '
            'the RAM of the server, and %s.' % (
                attempt.passes, attempt.transferred / self._record.memory,
                outcome)))
        return attempt.result == 'aborted'

    def _is_shown(self, attempt: record.Attempt) -> bool:
        """Whether pre-copy has had its time, and the passes it is to show."""
        begun = attempt.at(record.RUNNING)
        if begun is None:
            return False
        seconds = self._now() - begun
        return seconds >= self.pre_copy_seconds and (
            attempt.passes >= _PASSES
            or seconds >= wait.scaled(_PATIENCE * self.pre_copy_seconds))

    def _make_active(self) -> None:
        """Undo what upstream makes of an aborted live migration."""
        self._wait_until_over(to_error=True)
        self._say('the server runs on; upstream Nova puts it into ERROR '
                  'after the abort of a migration without post-copy')
        self._command('nova reset-state --active ' + SERVER)
        wait.until(lambda: self._nova_server()['status'] == 'ACTIVE',
                   'server that is ACTIVE', 30)

    def _wait_until_over(self, to_error: bool) -> None:
        """Wait for the last step of the newest migration."""
        def left() -> str:
            migration = self._migration()
            return last_step.left(
                self._nova_server(), migration,
                self._allocations(migration['uuid']), to_error,
            ) or self._left_on_hosts()

        last_step.until_nothing(left, 'end of the migration')

    def _post_copy(self) -> None:
        attempt = self._request('nova live-migration --post-copy',
                                post_copy=True)
        for migration in self._follow(attempt):
            limit = wait.scaled(POST_COPY_LIMIT_S)
            if self._now() > attempt.begin + limit:
                raise errors.LabError(
                    'the post-copy live migration of %s did not end within '
                    '%d s; Nova says: %s. See the logs of both nova-computes.'
                    % (self._record.server, limit, migration['status']))
        if attempt.at(record.COMPLETED) is not None:
            self._say('completed in %.1f s'
                      % attempt.after(record.COMPLETED))
            self._wait_until_over(to_error=False)

    def _request(self, command: str, post_copy: bool) -> record.Attempt:
        """Ask Nova for a live migration, and see its record appear."""
        before = self._migration()['id']
        attempt = record.Attempt(
            '%s %s %s' % (command, SERVER, self._record.destination),
            post_copy)
        self._record.attempts.append(attempt)
        attempt.note(record.REQUESTED, last_step.accepted(
            lambda: self._command(attempt.request)))
        wait.until(lambda: self._migration()['id'] != before,
                   'record of the migration in Nova', 30)
        return attempt

    def _follow(self, attempt: record.Attempt) -> Iterator[dict]:
        """Show a migration until it is over; yield what Nova says of it."""
        while (migration := self._migration())['status'] not in (
                last_step.ENDED):
            self._say.update('%s; Nova: %s' % (
                self._look(attempt), migration['status']))
            yield migration
            time.sleep(self.poll_seconds)
        self._look(attempt)
        completed = migration['status'] == 'completed'
        attempt.note(record.COMPLETED if completed else record.CANCELLED,
                     self._now())

    def _command(self, line: str) -> float:
        self._say('$ ' + line)
        return self._run_nova(line)
