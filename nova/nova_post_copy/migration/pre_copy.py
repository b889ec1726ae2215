# SPDX-License-Identifier: Apache-2.0

"""Learn the workload of a guest from its pre-copy.

Statistics are read at any time; those at the boundaries of iterations count.
In between they only show the bandwidth of the network.
"""

import nova.conf
from nova import objects
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.decisions import switch
from nova_post_copy.decisions import workload
from nova_post_copy.virt.libvirt import dirty_rate
from nova_post_copy.virt.libvirt import job
from nova_post_copy.virt.libvirt import memory

CONF = nova.conf.CONF

# Seconds over which an average says more than QEMU's momentary figure.
STEADY_S = 0.5


class PreCopy:
    """One migration until its switch or its end."""

    def __init__(self, host: libvirt_host.Host,
                 instance: objects.Instance) -> None:
        self._host = host
        self._instance = instance
        self._page_size = memory.PAGE_SIZE_BYTES
        self._guest: workload.Workload | None = None
        #: something is awaited that causes no event: the result of a
        #: measurement, or the first figure of the bandwidth
        self.awaits = False
        self._measured = False
        self._began: float | None = None
        self._iteration = 0
        # When this pass began (s), and how much had been sent until then.
        self._pass_began = 0.0
        self._sent_before = 0
        self._fitting = 0
        self._known: tuple[int | bool, ...] = ()
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
            self._learn(info, lag, bandwidth)
        elapsed = 0.0 if self._began is None else info.elapsed - self._began
        timeout = self._timeout()
        # Nothing else changes a decision between two boundaries.
        known = (self._iteration, self._measured, bool(bandwidth), forced,
                 bool(timeout) and elapsed > timeout)
        if self._decision is None or known != self._known:
            self._known = known
            self._decision = switch.decide(
                self._progress(info, bandwidth, elapsed),
                self._settings(timeout), forced)
        return self._decision

    def _learn(self, info: job.Statistics, lag: float,
               bandwidth: float) -> None:
        if self._guest is None:
            self._began = self._pass_began = info.elapsed
            self._sent_before = info.memory_processed
            used, self._page_size = memory.look(
                self._host, self._instance, info.memory_total)
            self._guest = workload.Workload(used)
        if not self._measured and info.memory_iteration == 1:
            self._guest = self._take_measurement(self._guest)
        if info.memory_iteration <= self._iteration:
            return
        if self._iteration:
            # What was sent since the boundary was dirty at the boundary.
            # libvirt counts by a clock that may be set.
            lag = max(min(lag, info.elapsed - self._pass_began), 0.0)
            at = info.elapsed - lag
            dirtied = info.memory_remaining + bandwidth * lag
            self._guest = self._guest.observe(
                (at - self._pass_began) /
                (info.memory_iteration - self._iteration), dirtied)
            self._pass_began = at
            fits = dirtied <= bandwidth * self._downtime()
            self._fitting = self._fitting + 1 if fits else 0
            self._sent_before = info.memory_processed
        self._iteration = info.memory_iteration

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
        if self._began is None or info.elapsed - self._pass_began < STEADY_S:
            return info.memory_bps
        # The stream may wait for QEMU, which looks for pages: the network
        # can do no less than what was seen.
        return max(info.memory_bps,
                   (info.memory_processed - self._sent_before) /
                   (info.elapsed - self._pass_began))

    def sent_again(self, info: job.Statistics) -> float:
        """Return how many bytes are likely to be sent again."""
        if self._guest is None or not info.memory_bps:
            return 0.0
        return self._guest.dirtied(info.memory_remaining / info.memory_bps)

    def _progress(self, info: job.Statistics, bandwidth: float,
                  elapsed: float) -> switch.Progress:
        guest = self._guest or workload.Workload(info.memory_total)
        sent = max(info.memory_processed - self._sent_before, 0)
        remaining = info.memory_remaining
        if self._iteration == 1:
            sent = info.memory_processed
            remaining = min(remaining, max(guest.memory - sent, 0))
        return switch.Progress(
            iteration=info.memory_iteration, remaining=remaining, sent=sent,
            bandwidth=bandwidth, elapsed=elapsed,
            page_size=self._page_size, fitting=self._fitting, guest=guest)

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
