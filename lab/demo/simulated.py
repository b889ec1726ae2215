# SPDX-License-Identifier: Apache-2.0

"""The main job on simulated hosts: the same two requests, the same server.

Nova's services and the ``nova`` command are real, all in this process. What
the guest does and how long its memory takes comes from the model.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import logging
import math
import sys
import typing

# First of all: it decides for native threads.
from lab import layout
from lab.simulation import cloud

import fixtures
from novaclient import shell
from wsgi_intercept import interceptor

from lab.demo import two_requests
from lab import errors
from lab.instruments import proof
from lab.instruments import record
from lab.simulation import guest
from lab.simulation import timing
from lab.simulation import workload as simulated_workload
from lab import wait

if typing.TYPE_CHECKING:
    from lab import progress

SOURCE, DESTINATION = 'host-a', 'host-b'
WORKING_SET_BYTES = 400 * layout.MIB
DIRTY_RATE_BYTES_PER_S = 1600 * layout.MIB  # the link cannot keep up
BANDWIDTH_BYTES_PER_S = 400 * layout.MIB    # a short demo
HEARTBEAT_S = 0.01

_ENDPOINT = 'http://simulated.cloud:80'

# There is no keystone; the command wants to hear of one all the same.
_OPENRC = {
    'OS_AUTH_TYPE': 'admin_token',
    'OS_TOKEN': 'simulated',
    'OS_ENDPOINT': _ENDPOINT + '/v2.1',
    'OS_AUTH_URL': _ENDPOINT,
    'OS_PROJECT_ID': 'simulated',
}


def run(say: progress.Progress) -> record.Record:
    """Try to move a busy server by pre-copy, then move it by post-copy.

    :param say: a :class:`lab.progress.Progress`
    :raises lab.errors.LabError: when the run cannot go on to its end
    """
    say('SIMULATED HOSTS: no QEMU, no libvirt and no network is involved')
    _keep_the_log_out()
    say('starting Nova in this process, with %s and %s (simulated)'
        % (SOURCE, DESTINATION))
    with _Cloud.up() as simulated:
        return MainJob(simulated, say).run()


def _keep_the_log_out() -> None:
    """Show no log of Nova's between our lines, in what is left to run.

    With Nova's services all of their logging is in this process, and it would
    also take the errors that we do not catch.
    """
    logging.captureWarnings(True)
    logging.disable(logging.CRITICAL)
    sys.excepthook = sys.__excepthook__


class _Cloud(cloud.Cloud):
    BANDWIDTH_BYTES_PER_S = BANDWIDTH_BYTES_PER_S
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
            name=two_requests.SERVER, networks='none', host=SOURCE)
        return self.api.post_server({'server': body})

    def allocations(self, consumer: str) -> dict[str, dict[str, int]]:
        """Map host names to the resources of a server or migration."""
        allocations = self.placement.get(
            '/allocations/' + consumer).body['allocations']
        return {host: allocations[uuid]['resources']
                for host, uuid in self.compute_rp_uuids.items()
                if uuid in allocations}


class MainJob(two_requests.TwoRequests):
    pre_copy_seconds = 4    # a short demo
    settled_seconds = 1
    poll_seconds = 0.1

    def __init__(self, simulated: _Cloud, say: progress.Progress) -> None:
        self._cloud = simulated
        self._hosts = simulated.hosts
        server = simulated.boot()['id']
        wait.until(lambda: simulated.api.get_server(server)['status']
                   == 'ACTIVE', 'server on ' + SOURCE, 30)
        self._hosts.make_busy(
            server, WORKING_SET_BYTES, DIRTY_RATE_BYTES_PER_S)
        workload = self._hosts.workload(server)
        self._pulse = _Pulse(workload, self._hosts.clock)
        super().__init__(say, record.Record(
            simulated=True, server=server, source=SOURCE,
            destination=DESTINATION, memory=workload.guest.memory,
            working_set=WORKING_SET_BYTES, bandwidth=simulated.BANDWIDTH,
            slowness=wait.slowness))

    def _now(self) -> float:
        return self._hosts.clock.now()

    def _run_nova(self, line: str) -> float:
        # As a user does, but in this process.
        requested = self._now()
        printed = io.StringIO()
        try:
            with (contextlib.redirect_stdout(printed),
                  contextlib.redirect_stderr(printed)):
                shell.OpenStackComputeShell().main(line.split()[1:])
        except (Exception, SystemExit) as exc:
            raise errors.failed(line, '%s %s' % (
                printed.getvalue().strip(), exc)) from exc
        return requested

    def _migration(self) -> dict:
        return max(self._cloud.api.get_migrations(),
                   key=lambda migration: migration['id'],
                   default={'id': None})

    def _nova_server(self) -> dict:
        return self._cloud.api.get_server(self._record.server)

    def _allocations(self, consumer: str) -> dict[str, dict[str, int]]:
        return self._cloud.allocations(consumer)

    def _look(self, attempt: record.Attempt) -> str:
        if len(self._hosts.moves) < len(self._record.attempts):
            return 'not begun'
        move = self._hosts.moves[-1]
        for name, happening in (
                (record.RUNNING, guest.Happening.ITERATION),
                (record.SWITCHED, guest.Happening.SWITCHED),
                (record.MEMORY_COMPLETE, guest.Happening.COMPLETED)):
            moment = move.at(happening)
            if moment is not None and attempt.at(name) is None:
                attempt.note(name, moment)
        memory = move.migration
        attempt.transferred = int(memory.sent)
        attempt.passes = max(0, memory.iteration - 1)
        phase = memory.phase.value
        if memory.phase is guest.Phase.PRE_COPY:
            phase += ', pass %d' % memory.iteration
        return '%s: %d %%, %d MiB left; guest %d MiB/s' % (
            phase, 100 - 100 * memory.remaining / memory.guest.memory,
            memory.remaining / layout.MIB, self._rate(0.5) / layout.MIB)

    def _left_on_hosts(self) -> str:
        there = sorted(self._hosts.domains(self._record.server))
        return '' if len(there) == 1 else 'domains on %s' % there

    def _rate(self, seconds: float) -> float:
        return self._pulse.rate(seconds)

    def _fit_link(self, rate: float) -> None:
        pass        # the model's guest is as fast as it is meant to be

    def _finish(self) -> None:
        self._record.samples = self._pulse.samples()
        self._record.checks += self._judge()

    def _judge(self) -> list[record.Check]:
        migration = self._migration()
        checks = proof.judge(proof.Facts(
            source=SOURCE, destination=DESTINATION, processes=None,
            domains={host: domain.state()[0] for host, domain
                     in self._hosts.domains(self._record.server).items()},
            rate=self._rate(1), work=self._record.samples[-1].work,
            wrong_pages=0, setbacks=sum(
                later.work < sooner.work for sooner, later
                in itertools.pairwise(self._record.samples)),
            server=self._nova_server(), migration=migration,
            allocations=self._cloud.allocations(self._record.server),
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
            < guest.PAGE_BYTES,
            'In the model each byte of the %d MiB has arrived, %d MiB of them '
            'more than once.' % (memory.guest.memory / layout.MIB,
                                 memory.dirtied_again / layout.MIB))

    def _judge_twice(self) -> record.Check:
        twice = self._hosts.ran_twice(self._record.server)
        return record.Check(
            'twice', not twice,
            'The simulated CPUs of the server ran on two hosts at once '
            '%s.' % ('%d times' % len(twice) if twice else 'at no time'))


class _Pulse:
    """The work of a guest, as the model knows it."""

    def __init__(self, workload: simulated_workload.Workload,
                 clock: timing.Clock) -> None:
        self._workload = workload
        self._clock = clock

    def rate(self, seconds: float) -> float:
        """Bytes/s that the guest has written in the last seconds."""
        now = self._clock.now()
        recent = [sample.work for sample in self.samples()
                  if sample.time > now - seconds]
        return (recent[-1] - recent[0]) / seconds if recent else 0.0

    def samples(self) -> list[record.Sample]:
        """Heartbeats of the past: none while the guest was suspended."""
        samples = []
        for (begin, before), (end, work) in itertools.pairwise(
                self._workload.course()):
            if work == before:
                continue
            beats = math.ceil((end - begin) / HEARTBEAT_S)
            samples += [
                record.Sample(begin + (end - begin) * beat / beats,
                              int(before + (work - before) * beat / beats))
                for beat in range(1, beats + 1)]
        return samples
