# SPDX-License-Identifier: Apache-2.0

"""Learn the workload of a guest from its pre-copy.

Statistics are read at any time; those at the boundaries of passes count
(:mod:`..decisions.passes`). In between they only show the bandwidth of the
network.
"""

import nova.conf
from nova import objects
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.decisions import passes
from nova_post_copy.decisions import switch
from nova_post_copy.decisions import workload
from nova_post_copy.virt.libvirt import dirty_rate
from nova_post_copy.virt.libvirt import job
from nova_post_copy.virt.libvirt import memory

CONF = nova.conf.CONF

# Seconds after which QEMU's figure of the bandwidth is no longer that of a
# stream that has just begun.
BEGUN_S = 0.25
# Seconds over which an average says more than QEMU's momentary figure.
STEADY_S = 0.5


class PreCopy:
    """One migration until its switch or its end."""

    def __init__(self, host: libvirt_host.Host,
                 instance: objects.Instance) -> None:
        self._host = host
        self._instance = instance
        self._page_size = memory.PAGE_SIZE_BYTES
        self._history: passes.History | None = None
        #: something is awaited that causes no event: the result of a
        #: measurement, or the first figure of the bandwidth
        self.awaits = False
        self._measured = False
        self._known: tuple[object, ...] = ()
        self._decision: switch.Decision | None = None

    def decide(self, info: job.Statistics, lag: float,
               forced: bool) -> switch.Decision:
        """Learn from the statistics of the job, and decide what to do next.

        :param lag: seconds since libvirt reported a boundary
        :param forced: a user has asked for the switch
        """
        bandwidth = self._bandwidth(info)
        self.awaits = bool(info.memory_iteration) and not bandwidth
        if info.memory_iteration:
            self._history = self._learn(info, lag, bandwidth)
        progress = self._progress(info, bandwidth)
        timeout = self._timeout()
        # Nothing else changes a decision between two boundaries.
        known = (progress.stage,
                 self._passes() if progress.fitting is None else None,
                 self._measured, bool(bandwidth), forced,
                 bool(timeout) and progress.elapsed > timeout,
                 switch.fits_for_too_long(progress))
        if self._decision is None or known != self._known:
            self._known = known
            self._decision = switch.decide(
                progress, self._settings(timeout), forced)
        return self._decision

    def _passes(self) -> int:
        return self._history.complete if self._history is not None else -1

    def _learn(self, info: job.Statistics, lag: float,
               bandwidth: float) -> passes.History:
        now = _point(info)
        history = self._history
        if history is None:
            used, self._page_size = memory.look(
                self._host, self._instance, info.memory_total)
            history = passes.History.begin(workload.Workload(used), now)
        if not self._measured and history.is_first_pass(info.memory_total):
            history = history._replace(
                guest=self._take_measurement(history.guest))
        return history.look(now, lag, bandwidth, self._downtime())

    def _take_measurement(self, guest: workload.Workload
                          ) -> workload.Workload:
        goes_on, result = dirty_rate.look(self._host, self._instance)
        self.awaits = self.awaits or goes_on
        if result is None:
            return guest
        self._measured = True
        return guest.observe(*result)

    def _bandwidth(self, info: job.Statistics) -> float:
        """Return bytes per second; 0 where nothing is known yet."""
        if (self._history is None or
                info.elapsed - self._history.first.seconds < BEGUN_S):
            return 0.0
        begin = self._history.boundary
        if info.elapsed - begin.seconds < STEADY_S:
            return info.memory_bps
        # The stream may wait for QEMU, which looks for pages: the network
        # can do no less than what was seen.
        return max(info.memory_bps, (info.memory_processed - begin.sent) /
                   (info.elapsed - begin.seconds))

    def sent_again(self, info: job.Statistics) -> float:
        """Return how many bytes are likely to be sent again."""
        if self._history is None or not info.memory_bps:
            return 0.0
        return self._history.guest.dirtied(
            info.memory_remaining / info.memory_bps)

    def _progress(self, info: job.Statistics,
                  bandwidth: float) -> switch.Progress:
        history = self._history
        if history is None:
            return switch.Progress(
                stage=switch.Stage.BEFORE, remaining=0.0, sent=0.0,
                bandwidth=bandwidth, elapsed=0.0, unwatched=0.0,
                page_size=self._page_size, fitting=None,
                guest=workload.Workload(info.memory_total))
        first = history.is_first_pass(info.memory_total)
        span = passes.Span(history.boundary, _point(info))
        sent, remaining = span.sent, span.left
        if first:
            # Pages of zeros are left, too, but take no time.
            sent = info.memory_processed
            remaining = min(remaining, max(history.guest.memory - sent, 0.0))
        return switch.Progress(
            stage=switch.Stage.FIRST_PASS if first else switch.Stage.LATER,
            remaining=remaining, sent=sent, bandwidth=bandwidth,
            elapsed=info.elapsed - history.first.seconds,
            unwatched=(history.unwatched if history.complete
                       else span.unwatched),
            page_size=self._page_size, fitting=history.fitting,
            guest=history.guest)

    def _settings(self, timeout: float) -> switch.Settings:
        return switch.Settings(
            policy=switch.Policy(CONF.post_copy.switch_policy),
            weight=CONF.post_copy.degraded_weight,
            downtime=self._downtime(), timeout=timeout,
            abort=CONF.libvirt.live_migration_timeout_action == 'abort')

    def _downtime(self) -> float:
        return CONF.libvirt.live_migration_downtime / 1000

    def _timeout(self) -> float:
        # Upstream counts at least 2 GiB. It adds the disks, whose time is
        # not counted here.
        gigabytes = max(2, self._instance.flavor.memory_mb / 1024)
        return CONF.libvirt.live_migration_completion_timeout * gigabytes


def _point(info: job.Statistics) -> passes.Point:
    return passes.Point(
        seconds=info.elapsed, visited=info.memory_visited,
        sent=info.memory_processed, remaining=info.memory_remaining,
        collections=info.memory_iteration)
