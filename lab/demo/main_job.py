# SPDX-License-Identifier: Apache-2.0

"""The main job on the real lab.

What happens is read from the guest, from libvirt on both hosts and from Nova.
"""

from __future__ import annotations

import subprocess
import time
import typing

from lab.cloud import content
from lab.demo import two_requests
from lab import errors
from lab.instruments import heartbeat
from lab.instruments import last_step
from lab.instruments import proof
from lab.instruments import record
from lab.instruments import watch
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab import progress

WORKING_SET_BYTES = 400 * layout.MIB      # of the image "guest"
# How many times faster than the link a guest has to write, so that pre-copy
# does not come to an end; and a step of the link, bytes/s.
_BUSIER = 2
_STEP_BYTES_PER_S = 10 * layout.MIB


def link(bandwidth: int, rate: float) -> int:
    """Return the bandwidth (bytes/s) of a link that a guest can outrun.

    :param bandwidth: of the link as it is
    :param rate: what the guest writes on this machine, bytes/s
    """
    steps = max(1, int(rate / _BUSIER / _STEP_BYTES_PER_S))
    return min(bandwidth, steps * _STEP_BYTES_PER_S)


def run(cloud: lab_cloud.Cloud, say: progress.Progress,
        delete: bool) -> record.Record:
    """Boot the busy server, try to move it by pre-copy, move it by post-copy.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up
    :param say: a :class:`lab.progress.Progress`
    :param delete: delete the server in the end, because the cloud stays
    :raises lab.errors.LabError: when the run cannot go on to its end
    """
    name = two_requests.SERVER
    for server in cloud.nova().servers.list(
            search_opts={'name': '^%s$' % name}):
        cloud.delete(server)
    host = layout.HOSTS[0].name
    say('booting the server %s on %s' % (name, host))
    server = cloud.boot(name, host)
    pulse = heartbeat.Heartbeat()
    try:
        pulse.follow(cloud.serial_address(server))
        wait.until(lambda: pulse.samples()
                   and pulse.samples()[-1].work > WORKING_SET_BYTES,
                   'heartbeat of the guest', 60)
        job = MainJob(cloud, say, server, pulse)
        try:
            return job.run()
        finally:
            job.close()
    finally:
        pulse.stop()
        if delete:
            cloud.delete(server)


class MainJob(two_requests.TwoRequests):
    pre_copy_seconds = 15
    settled_seconds = 2
    poll_seconds = 0.2

    def __init__(self, cloud: lab_cloud.Cloud, say: progress.Progress, server,
                 pulse: heartbeat.Heartbeat) -> None:
        source, destination = (host.name for host in layout.HOSTS)
        super().__init__(say, record.Record(
            simulated=False, server=server.id, source=source,
            destination=destination, memory=server.flavor['ram'] * layout.MIB,
            working_set=WORKING_SET_BYTES, bandwidth=cloud.bandwidth,
            slowness=wait.slowness))
        self._cloud = cloud
        self._pulse = pulse
        self._watch = watch.Watch(
            cloud.host(source), cloud.host(destination), self._record,
            time.monotonic)

    def close(self) -> None:
        """Note nothing more, and put the link back."""
        self._watch.close()
        if self._record.bandwidth != self._cloud.bandwidth:
            self._limit(self._cloud.bandwidth)

    def _limit(self, bandwidth: int) -> None:
        for host in self._cloud.hosts.values():
            host.limit_migration_network(bandwidth)

    def _fit_link(self, rate: float) -> None:
        bandwidth = link(self._cloud.bandwidth, rate)
        if bandwidth != self._cloud.bandwidth:
            self._record.bandwidth = bandwidth
            self._limit(bandwidth)
            self._say('that is too little for a link of %d MiB/s: this run '
                      'has %d MiB/s between the hosts' % (
                          self._cloud.bandwidth / layout.MIB,
                          bandwidth / layout.MIB))

    def _now(self) -> float:
        return time.monotonic()

    def _run_nova(self, line: str) -> float:
        # The client takes a second and more to start; --debug tells when the
        # request goes out.
        requested, printed = time.monotonic(), ''
        with subprocess.Popen(
                ['bash', '-c', content.openrc()
                 + line.replace('nova', 'nova --debug', 1)], text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as command:
            for printed in command.stdout:
                if 'REQ: curl' in printed:
                    requested = time.monotonic()
        if command.returncode:
            raise errors.failed(line, printed.strip())
        return requested

    def _migration(self) -> dict:
        migrations = self._cloud.get(
            'compute', '/os-migrations?limit=1&instance_uuid='
            + self._record.server, microversion='2.80')['migrations']
        return migrations[0] if migrations else {'id': None}

    def _nova_server(self) -> dict:
        return self._cloud.get(
            'compute', '/servers/' + self._record.server)['server']

    def _allocations(self, consumer: str) -> dict[str, dict[str, int]]:
        return self._cloud.allocations(consumer)

    def _look(self, attempt: record.Attempt) -> str:
        self._watch.look()
        # The destination's console is there before the guest is.
        console = self._cloud.serial_address(
            self._record.server, self._record.destination)
        if console is not None:
            self._pulse.follow(console)
        silence = self._pulse.silence()
        return '%s; guest %s' % (
            self._progress(attempt),
            '%d MiB/s' % (self._pulse.rate(0.5) / layout.MIB)
            if silence < 0.5 else 'silent for %.1f s' % silence)

    def _progress(self, attempt: record.Attempt) -> str:
        seen = self._watch.statistics
        if not seen:
            return 'not begun'
        return '%s: %d %%, %d MiB left' % (
            'pre-copy, pass %d' % (attempt.passes + 1)
            if attempt.at(record.SWITCHED) is None else 'post-copy',
            100 - 100 * seen['memory_remaining'] / seen['memory_total'],
            seen['memory_remaining'] / layout.MIB)

    def _left_on_hosts(self) -> str:
        return last_step.left_on_hosts(self._cloud, self._record.server)

    def _rate(self, seconds: float) -> float:
        return self._pulse.rate(seconds)

    def _finish(self) -> None:
        self._record.samples = self._pulse.samples()
        self._record.wrong_pages = self._pulse.wrong_pages
        self._record.checks += proof.judge(proof.look(
            self._cloud, self._record.server, self._record.source,
            self._record.destination, self._pulse))
