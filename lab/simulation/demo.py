# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.


"""The main job on simulated hosts: the same two requests, the same server.

Nova's services and the ``nova`` command are real, all in this process. What
the guest does and how long its memory takes comes from the model.
"""

from collections.abc import Iterator
import contextlib
import io
import itertools
import logging
import math
import sys
import time

# First of all: it decides for native threads.
from lab.simulation import cloud

import fixtures
from novaclient import shell
from wsgi_intercept import interceptor

from lab import errors
from lab import proof
from lab import record
from lab.simulation import guest
from lab.simulation import hosts
from lab import wait

SERVER = 'busy'
SOURCE, DESTINATION = 'host-a', 'host-b'
WORKING_SET = 400 * record.MIB
DIRTY_RATE = 1600 * record.MIB  # bytes/s: the link cannot keep up
BANDWIDTH = 400 * record.MIB    # bytes/s: a short demo
PRE_COPY_SECONDS = 4    # that memory is copied before pre-copy is given up
POST_COPY_SECONDS = 60
SETTLED_SECONDS = 1     # of the guest that are recorded at both ends
POLL_SECONDS = 0.1
HEARTBEAT_SECONDS = 0.01

_ENDED = ('completed', 'cancelled', 'error', 'failed')
_ENDPOINT = 'http://simulated.cloud:80'

# There is no keystone; the command wants to hear of one all the same.
_OPENRC = {
    'OS_AUTH_TYPE': 'admin_token',
    'OS_TOKEN': 'simulated',
    'OS_ENDPOINT': _ENDPOINT + '/v2.1',
    'OS_AUTH_URL': _ENDPOINT,
    'OS_PROJECT_ID': 'simulated',
}


def run(say) -> record.Record:
    """Try to move a busy server by pre-copy, then move it by post-copy.

    :param say: a :class:`lab.progress.Progress`
    :raises lab.errors.LabError: when the run cannot go on to its end
    """
    say('SIMULATED HOSTS: no QEMU, no libvirt and no network is involved')
    _keep_the_log_out()
    say('starting Nova in this process, with %s and %s (simulated)'
        % (SOURCE, DESTINATION))
    with _Cloud.up() as simulated:
        return _Run(simulated, say).run()


def _keep_the_log_out() -> None:
    """Show no log of Nova's between our lines, in what is left to run.

    With Nova's services all of their logging is in this process, and it would
    also take the errors that we do not catch.
    """
    logging.captureWarnings(True)
    logging.disable(logging.CRITICAL)
    sys.excepthook = sys.__excepthook__


class _Cloud(cloud.Cloud):
    BANDWIDTH = BANDWIDTH
    SPEED = 1.0

    def setUp(self):
        super().setUp()
        intercept = interceptor.RequestsInterceptor(
            lambda: self._answer, url=_ENDPOINT)
        intercept.install_intercept()
        self.addCleanup(intercept.uninstall_intercept)
        for name, value in _OPENRC.items():
            self.useFixture(fixtures.EnvironmentVariable(name, value))
        for host in (SOURCE, DESTINATION):
            self.start_compute(host)

    def _answer(self, environ, start_response):
        """Serve the API to an administrator: there is no keystone here."""
        environ |= {'HTTP_X_AUTH_USER': 'admin', 'HTTP_X_USER_ID': 'admin',
                    'HTTP_X_AUTH_PROJECT_ID': self.api_fixture.project_id,
                    'HTTP_X_ROLES': 'reader,member,admin'}
        return self.api_fixture.app()(environ, start_response)

    def boot(self) -> dict:
        body = self._build_server(
            name=SERVER, networks='none', host=SOURCE)
        return self.api.post_server({'server': body})

    def allocations(self, consumer: str) -> dict[str, dict[str, int]]:
        """Map host names to the resources of a server or migration."""
        allocations = self.placement.get(
            '/allocations/' + consumer).body['allocations']
        return {host: allocations[uuid]['resources']
                for host, uuid in self.compute_rp_uuids.items()
                if uuid in allocations}


class _Run:
    def __init__(self, simulated: _Cloud, say) -> None:
        self._cloud = simulated
        self._hosts = simulated.hosts
        self._say = say
        self._server = simulated.boot()['id']
        wait.until(lambda: self._nova_server()['status'] == 'ACTIVE',
                   'server on ' + SOURCE, 30)
        self._hosts.make_busy(self._server, WORKING_SET, DIRTY_RATE)
        self._pulse = _Pulse(
            self._hosts.workload(self._server), self._hosts.clock)
        self._record = record.Record(
            simulated=True, server=self._server, source=SOURCE,
            destination=DESTINATION,
            memory=self._hosts.workload(self._server).guest.memory,
            working_set=WORKING_SET, bandwidth=simulated.BANDWIDTH)

    def run(self) -> record.Record:
        time.sleep(SETTLED_SECONDS)
        self._say('the simulated guest on %s writes %d MiB/s'
                  % (SOURCE, self._pulse.rate() / record.MIB))
        self._pre_copy()
        self._post_copy()
        time.sleep(SETTLED_SECONDS)
        self._record.samples = self._pulse.samples()
        self._record.checks += self._judge()
        return self._record

    def _pre_copy(self) -> None:
        """Show that upstream's live migration does not come to an end."""
        attempt = self._request('nova live-migration', post_copy=False)
        for migration in self._follow(attempt):
            begun = attempt.at(record.RUNNING)
            if (begun is not None and attempt.at(record.ABORTED) is None
                    and self._hosts.clock.now() > begun + PRE_COPY_SECONDS):
                attempt.note(record.ABORTED, self._command(
                    'nova live-migration-abort %s %d'
                    % (SERVER, migration['id'])))
        wait.until(lambda: self._nova_server()['OS-EXT-STS:task_state']
                   is None, 'end of the task in Nova', 30)
        self._record.checks.append(record.Check(
            'pre-copy', attempt.at(record.COMPLETED) is None,
            'Pre-copy alone went through memory %d times, moved %.1f times '
            'the RAM of the server, and %s.' % (
                attempt.passes, attempt.transferred / self._record.memory,
                'did not come to an end' if attempt.at(record.COMPLETED)
                is None else 'came to an end')))
        if self._nova_server()['status'] == 'ERROR':
            self._say('the server runs on; upstream Nova puts it into ERROR '
                      'after the abort of a migration without post-copy')
            self._command('nova reset-state --active ' + SERVER)

    def _post_copy(self) -> None:
        attempt = self._request('nova live-migration --post-copy',
                                post_copy=True)
        for migration in self._follow(attempt):
            if self._hosts.clock.now() > attempt.begin + POST_COPY_SECONDS:
                raise errors.LabError(
                    'the post-copy live migration on simulated hosts did not '
                    'end within %d s; Nova says: %s'
                    % (POST_COPY_SECONDS, migration['status']))
        if attempt.at(record.COMPLETED) is not None:
            self._say('completed in %.1f simulated seconds'
                      % attempt.after(record.COMPLETED))

    def _request(self, command: str, post_copy: bool) -> record.Attempt:
        """Ask Nova for a live migration, and see its record appear."""
        before = len(self._migrations())
        attempt = record.Attempt(
            '%s %s %s' % (command, SERVER, DESTINATION), post_copy)
        self._record.attempts.append(attempt)
        attempt.note(record.REQUESTED, self._command(attempt.request))
        wait.until(lambda: len(self._migrations()) > before,
                   'record of the migration in Nova', 30)
        return attempt

    def _follow(self, attempt: record.Attempt) -> Iterator[dict]:
        """Show a migration until it is over; yield what Nova says of it."""
        known = len(self._record.attempts)
        while (migration := self._migrations()[-1])['status'] not in _ENDED:
            if len(self._hosts.moves) == known:
                move = self._hosts.moves[-1]
                _note(attempt, move)
                self._say.update(self._situation(move, migration['status']))
            yield migration
            time.sleep(POLL_SECONDS)
        _note(attempt, self._hosts.moves[-1])
        completed = migration['status'] == 'completed'
        attempt.note(record.COMPLETED if completed else record.CANCELLED,
                     self._hosts.clock.now())

    def _situation(self, move: hosts.Move, status: str) -> str:
        """Say in one line how far a migration is and what the guest does."""
        memory = move.migration
        phase = memory.phase.value
        if memory.phase is guest.Phase.PRE_COPY:
            phase += ', pass %d' % memory.iteration
        return '%s: %d %%, %d MiB left; guest %d MiB/s; Nova: %s' % (
            phase, 100 - 100 * memory.remaining / memory.guest.memory,
            memory.remaining / record.MIB, self._pulse.rate() / record.MIB,
            status)

    def _judge(self) -> list[record.Check]:
        migration = self._migrations()[-1]
        checks = proof.judge(proof.Facts(
            source=SOURCE, destination=DESTINATION, processes=None,
            domains={host: domain.state()[0] for host, domain
                     in self._hosts.domains(self._server).items()},
            rate=self._pulse.rate(), work=self._record.samples[-1].work,
            wrong_pages=0, setbacks=0,
            server=self._nova_server(), migration=migration,
            allocations=self._cloud.allocations(self._server),
            migration_allocations=self._cloud.allocations(
                migration['uuid'])))
        # The model knows how many bytes there are, but not what is in them.
        return [check for check in checks if check.name != 'memory'] + [
            self._judge_bytes(), self._judge_twice()]

    def _judge_bytes(self) -> record.Check:
        memory = self._hosts.moves[-1].migration
        return record.Check(
            'bytes', memory.remaining == 0
            and abs(memory.sent - memory.dirtied_again - memory.guest.memory)
            < guest.PAGE,
            'In the model each byte of the %d MiB has arrived, %d MiB of them '
            'more than once.' % (memory.guest.memory / record.MIB,
                                 memory.dirtied_again / record.MIB))

    def _judge_twice(self) -> record.Check:
        twice = self._hosts.ran_twice(self._server)
        return record.Check(
            'twice', not twice,
            'The simulated CPUs of the server ran on two hosts at once '
            '%s.' % ('%d times' % len(twice) if twice else 'at no time'))

    def _migrations(self) -> list[dict]:
        """Return Nova's records, the oldest first."""
        return sorted(self._cloud.api.get_migrations(),
                      key=lambda migration: migration['id'])

    def _nova_server(self) -> dict:
        return self._cloud.api.get_server(self._server)

    def _command(self, line: str) -> float:
        """Run a ``nova`` command as a user does, but in this process.

        :returns: when it began (s)
        :raises lab.errors.LabError: when it fails, with what it printed
        """
        self._say('$ ' + line)
        requested = self._hosts.clock.now()
        printed = io.StringIO()
        try:
            with (contextlib.redirect_stdout(printed),
                  contextlib.redirect_stderr(printed)):
                shell.OpenStackComputeShell().main(line.split()[1:])
        except (Exception, SystemExit) as exc:
            raise errors.LabError('"%s" failed: %s %s' % (
                line, printed.getvalue().strip(), exc)) from exc
        return requested


def _note(attempt: record.Attempt, move: hosts.Move) -> None:
    """Write what the model has seen so far into an attempt."""
    for name, happening in (
            (record.RUNNING, guest.Happening.ITERATION),
            (record.SWITCHED, guest.Happening.SWITCHED),
            (record.MEMORY_COMPLETE, guest.Happening.COMPLETED)):
        moment = move.at(happening)
        if moment is not None and attempt.at(name) is None:
            attempt.note(name, moment)
    attempt.transferred = int(move.migration.sent)
    attempt.passes = max(0, move.migration.iteration - 1)


class _Pulse:
    """The work of a guest, as the model knows it."""

    def __init__(self, workload: hosts.Workload,
                 clock: hosts.Clock) -> None:
        self._workload = workload
        self._clock = clock
        self._last = (clock.now(), workload.work())

    def rate(self) -> float:
        """Bytes/s that the guest has written since the last question."""
        (begin, before), self._last = self._last, (
            self._clock.now(), self._workload.work())
        end, work = self._last
        return (work - before) / (end - begin)

    def samples(self) -> list[record.Sample]:
        """Heartbeats of the past: none while the guest was suspended."""
        samples = []
        for (begin, before), (end, work) in itertools.pairwise(
                self._workload.course()):
            if work == before:
                continue
            beats = math.ceil((end - begin) / HEARTBEAT_SECONDS)
            samples += [
                record.Sample(begin + (end - begin) * beat / beats,
                              int(before + (work - before) * beat / beats))
                for beat in range(1, beats + 1)]
        return samples
