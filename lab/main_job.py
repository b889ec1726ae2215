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


"""The main job on the real lab: two requests, the same server.

The requests are made with the ``nova`` command, as a user makes them; what
happens is read from the guest, from libvirt on both hosts and from Nova.
"""

from collections.abc import Iterator
import subprocess
import time

from lab import content
from lab import errors
from lab.guest import heartbeat
from lab import layout
from lab import proof
from lab import record
from lab import wait
from lab import watch

SERVER = 'busy'
WORKING_SET = 400 * record.MIB      # of the image "guest"
PRE_COPY_SECONDS = 15   # that memory is copied before pre-copy is given up
POST_COPY_SECONDS = 120
SETTLED_SECONDS = 2     # of the guest that are recorded at both ends
POLL_SECONDS = 0.2

# What Nova calls a migration that is over.
_ENDED = ('completed', 'cancelled', 'error', 'failed')


def run(cloud, say, keep: bool) -> record.Record:
    """Boot the busy server, try to move it by pre-copy, move it by post-copy.

    :param cloud: a :class:`lab.cloud.Cloud` that is up
    :param say: a :class:`lab.progress.Progress`
    :param keep: leave the server where it is; else it is deleted
    :raises lab.errors.LabError: when the run cannot go on to its end
    """
    for server in cloud.nova().servers.list(
            search_opts={'name': '^%s$' % SERVER}):
        cloud.delete(server)
    source, destination = (host.name for host in layout.HOSTS)
    say('booting the server %s on %s' % (SERVER, source))
    server = cloud.boot(SERVER, source)
    pulse = heartbeat.Heartbeat()
    try:
        return _Run(cloud, say, server, pulse, source, destination).run()
    finally:
        pulse.stop()
        if not keep:
            cloud.delete(server)


class _Run:
    def __init__(self, cloud, say, server, pulse: heartbeat.Heartbeat,
                 source: str, destination: str) -> None:
        self._cloud = cloud
        self._say = say
        self._server = server
        self._pulse = pulse
        self._watch = watch.Watch(
            cloud.host(source), cloud.host(destination), server.id,
            time.monotonic)
        self._record = record.Record(
            simulated=False, server=server.id, source=source,
            destination=destination, memory=server.flavor['ram'] * record.MIB,
            working_set=WORKING_SET, bandwidth=cloud.bandwidth)

    def run(self) -> record.Record:
        self._pulse.follow(self._cloud.serial_address(self._server))
        wait.until(lambda: self._pulse.samples()
                   and self._pulse.samples()[-1].work > 2 * WORKING_SET,
                   'heartbeat of the guest', 60)
        time.sleep(SETTLED_SECONDS)
        self._say('the guest on %s checks and writes %d MiB/s' % (
            self._record.source, self._pulse.rate() / record.MIB))
        self._pre_copy()
        self._post_copy()
        time.sleep(SETTLED_SECONDS)
        self._record.samples = self._pulse.samples()
        self._record.wrong_pages = self._pulse.wrong_pages
        self._record.checks += proof.judge(proof.look(
            self._cloud, self._server.id, self._record.source,
            self._record.destination, self._pulse))
        return self._record

    def _pre_copy(self) -> None:
        """Show that upstream's live migration does not come to an end."""
        attempt = self._request('nova live-migration', post_copy=False)
        for migration in self._follow(attempt):
            begun = attempt.at(record.RUNNING)
            if (begun is None or attempt.at(record.ABORTED) is not None
                    or time.monotonic() < begun + PRE_COPY_SECONDS):
                continue
            written = self._pulse.rate(PRE_COPY_SECONDS) * PRE_COPY_SECONDS
            self._say('in %d s pre-copy has gone through memory %d times, the '
                      'guest has written its working set %d times' % (
                          PRE_COPY_SECONDS, attempt.passes,
                          written / WORKING_SET))
            attempt.note(record.ABORTED, self._command(
                'nova live-migration-abort %s %d'
                % (SERVER, migration['id'])))
        wait.until(self._watch.is_idle, 'end of the aborted migration', 30)
        self._record.checks.append(record.Check(
            'pre-copy', attempt.at(record.COMPLETED) is None,
            'Pre-copy alone went through memory %d times, moved %.1f times '
            'the RAM of the server, and %s.' % (
                attempt.passes, attempt.transferred / self._record.memory,
                'did not come to an end' if attempt.at(record.COMPLETED)
                is None else 'came to an end')))
        self._make_active()

    def _make_active(self) -> None:
        """Undo what upstream makes of an aborted live migration."""
        wait.until(lambda: self._nova_server()['OS-EXT-STS:task_state']
                   is None, 'end of the task in Nova', 30)
        if self._nova_server()['status'] == 'ERROR':
            self._say('the server runs on; upstream Nova puts it into ERROR '
                      'after the abort of a migration without post-copy')
            self._command('nova reset-state --active ' + SERVER)

    def _post_copy(self) -> None:
        attempt = self._request('nova live-migration --post-copy',
                                post_copy=True)
        for migration in self._follow(attempt):
            if time.monotonic() > attempt.begin + POST_COPY_SECONDS:
                raise errors.LabError(
                    'the post-copy live migration of %s did not end within '
                    '%d s; Nova says: %s. See the logs of both nova-computes.'
                    % (self._server.id, POST_COPY_SECONDS,
                       migration['status']))
        if attempt.at(record.COMPLETED) is not None:
            self._say('completed in %.1f s'
                      % attempt.after(record.COMPLETED))

    def _request(self, command: str, post_copy: bool) -> record.Attempt:
        """Ask Nova for a live migration, and see its record appear."""
        before = self._newest_migration()['id']
        attempt = record.Attempt(
            '%s %s %s' % (command, SERVER, self._record.destination),
            post_copy)
        self._record.attempts.append(attempt)
        self._watch.follow(attempt)
        attempt.note(record.REQUESTED, self._command(attempt.request))
        wait.until(lambda: self._newest_migration()['id'] != before,
                   'record of the migration in Nova', 30)
        return attempt

    def _follow(self, attempt: record.Attempt) -> Iterator[dict]:
        """Show a migration until it is over; yield what Nova says of it."""
        while (migration := self._newest_migration())['status'] not in _ENDED:
            self._watch.look()
            # The destination's console is there before the guest is.
            console = self._cloud.serial_address(
                self._server, self._record.destination)
            if console is not None:
                self._pulse.follow(console)
            self._say.update(self._situation(attempt, migration['status']))
            yield migration
            time.sleep(POLL_SECONDS)
        completed = migration['status'] == 'completed'
        attempt.note(record.COMPLETED if completed else record.CANCELLED,
                     time.monotonic())

    def _situation(self, attempt: record.Attempt, status: str) -> str:
        """Say in one line how far a migration is and what the guest does."""
        seen = self._watch.statistics
        silence = self._pulse.silence()
        return '%s; guest %s; Nova: %s' % (
            '%s: %d %%, %d MiB left' % (
                'post-copy' if attempt.at(record.SWITCHED) is not None
                else 'pre-copy, pass %d' % (attempt.passes + 1),
                100 - 100 * seen['memory_remaining'] / seen['memory_total'],
                seen['memory_remaining'] / record.MIB)
            if seen else 'not begun',
            '%d MiB/s' % (self._pulse.rate(0.5) / record.MIB)
            if silence < 0.5 else 'silent for %.1f s' % silence,
            status)

    def _newest_migration(self) -> dict:
        """Return Nova's record; its id is None before the first one."""
        migrations = self._cloud.get(
            'compute', '/os-migrations?limit=1&instance_uuid='
            + self._server.id, microversion='2.80')['migrations']
        return migrations[0] if migrations else {'id': None}

    def _nova_server(self) -> dict:
        return self._cloud.get(
            'compute', '/servers/' + self._server.id)['server']

    def _command(self, line: str) -> float:
        """Run a ``nova`` command as a user of the cloud does.

        :returns: when its last request went out (s): before that, the client
            takes a second and more to start
        :raises lab.errors.LabError: when it fails, with what it printed
        """
        self._say('$ ' + line)
        requested, printed = time.monotonic(), ''
        with subprocess.Popen(
                ['bash', '-c', content.openrc()
                 + line.replace('nova', 'nova --debug', 1)], text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as command:
            for printed in command.stdout:
                if 'REQ: curl' in printed:
                    requested = time.monotonic()
        if command.returncode:
            raise errors.LabError('"%s" failed: %s' % (line, printed.strip()))
        return requested
