# SPDX-License-Identifier: Apache-2.0

"""One migration while it goes on: what is seen of it, and when.

The same for Nova's and for virsh's, so that they are measured alike.
"""

from __future__ import annotations

from collections.abc import Mapping
import os
import pathlib
import time
import typing

from lab.bench import figures
from lab.bench import guests
from lab.bench import result
from lab import errors
from lab.instruments import heartbeat
from lab.instruments import record
from lab.instruments import watch
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud

# Seconds: of the undisturbed guest, before; and after, for late news.
SETTLED_S = 2.5
LATE_S = 0.5
# Between two looks at libvirt, which costs little.
LOOK_INTERVAL_S = 0.1
# A migration that takes longer has failed, whatever its way.
LIMIT_S = 120.0


class Observed:
    """One migration of a guest.

    :param uuid: of the server or domain
    :param pulse: that hears it already
    """

    def __init__(self, cloud: lab_cloud.Cloud, kind: guests.Guest, uuid: str,
                 pulse: heartbeat.Heartbeat, source: str,
                 destination: str) -> None:
        self._cloud = cloud
        self._kind = kind
        self._pulse = pulse
        self._heard = False
        self._record = record.Record(
            simulated=False, server=uuid, source=source,
            destination=destination,
            memory=guests.MEMORY_MIB * layout.MIB,
            working_set=kind.working_set_mib * layout.MIB,
            bandwidth=cloud.bandwidth)
        self._watch = watch.Watch(
            cloud.host(source), cloud.host(destination), self._record,
            time.monotonic)
        self._rate = 0.0
        self._cpu = 0.0

    def wait_for_phase(self, phase: int) -> None:
        """Return when the guest is undisturbed, and at this work of its cycle.

        :param phase: bytes
        """
        wait.until(self._watch.is_idle, 'end of what went on before', 30)
        time.sleep(SETTLED_S)
        if self._kind.cycle:
            wait.until(lambda: (self._work() - phase) % self._kind.cycle
                       < self._kind.cycle / 50, 'phase of the guest', 60,
                       interval=0.01)

    def begin(self, request: str, post_copy: bool) -> record.Attempt:
        """Note that the migration is asked for now."""
        now = time.monotonic()
        self._rate = figures.rate_before(
            self._pulse.samples(), now, SETTLED_S)
        if not self._rate:
            raise errors.LabError('the guest does nothing')
        self._cpu = self._compute_cpu()
        attempt = record.Attempt(request, post_copy)
        attempt.note(record.REQUESTED, now)
        self._record.attempts.append(attempt)
        return attempt

    def look(self, attempt: record.Attempt) -> None:
        """Bring the attempt up to date; called every LOOK_INTERVAL_S.

        :raises LabError: when it takes too long
        """
        self._watch.look()
        if not self._heard:
            # The destination's console is there before the guest is.
            address = self._cloud.serial_address(
                self._record.server, self._record.destination)
            if address is not None:
                self._pulse.follow(address)
                self._heard = True
        limit = wait.scaled(LIMIT_S)
        if time.monotonic() > attempt.begin + limit:
            raise errors.LabError('the migration did not end within %d s'
                                  % limit)
        time.sleep(LOOK_INTERVAL_S)

    def end(self, mode: str, number: int) -> result.Run:
        """Return the figures; the migration is over."""
        cpu = self._compute_cpu() - self._cpu
        time.sleep(LATE_S)
        self._record.samples = self._pulse.samples()
        self._record.wrong_pages = self._pulse.wrong_pages
        return figures.run(self._kind.name, mode, number, self._record,
                           self._rate, self._statistics(), cpu)

    def close(self) -> None:
        self._watch.close()

    def _statistics(self) -> Mapping[str, int]:
        return self._watch.statistics

    def _work(self) -> int:
        return self._pulse.samples()[-1].work

    def _compute_cpu(self) -> float:
        """Return seconds of processor that the source's compute has used."""
        pid = self._cloud.host(self._record.source).compute.pid
        fields = pathlib.Path('/proc/%d/stat' % pid).read_text().rpartition(
            ')')[2].split()
        # utime and stime, the 14th and 15th field of all.
        return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
