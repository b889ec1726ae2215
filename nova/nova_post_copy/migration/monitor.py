# SPDX-License-Identifier: Apache-2.0

"""Watch one live migration that may finish by post-copy.

The loop wakes when libvirt, a user or the operation itself has something to
tell, asks the source's domain how things are, feeds statistics to
:mod:`.pre_copy` and carries out its decision. What it must never do is to call
a migration failed while the guest may be running on the destination: the
rollback would destroy the only live copy. So the source's domain, and neither
the statistics nor the error of libvirt's operation, says that a migration is
over and how. That is why it makes no difference whether the operation was
begun by this process or by one that has died since.
"""

import collections
import enum
import threading
import time
import typing

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

import futurist
from oslo_log import log as logging

import nova.conf
from nova import exception
from nova.i18n import _
from nova import objects
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import recovery
from nova_post_copy.decisions import switch
from nova_post_copy.migration import interruption
from nova_post_copy.migration.link import Link
from nova_post_copy.migration import pre_copy
from nova_post_copy.migration.reporter import Reporter
from nova_post_copy.migration import summary
from nova_post_copy.virt.libvirt import domain
from nova_post_copy.virt.libvirt import job
from nova_post_copy.virt.libvirt.signals import Signals

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Seconds between two looks at the source when nothing happens: events may get
# lost, and a stream that stands still makes none. The progress is saved as
# often (two RPC calls each).
BEAT_S = 1.0
# While something is awaited that makes no event: the result of a measurement,
# the end of an interruption.
QUICK_BEAT_S = 0.25
# Seconds after which a guest that stands still between the hosts, with no job
# that moves it, is taken for left behind by a libvirt that was restarted.
STRANDED_AFTER_S = 10.0

# What the source says of a stream that is not broken any more.
_GOES_ON = (Condition.POST_COPY, Condition.MIGRATING, Condition.MIGRATED,
            Condition.ABSENT)


class End(enum.Enum):
    """How a migration ended."""

    COMPLETED = 'completed'     #: the guest has left the source
    CANCELLED = 'cancelled'     #: aborted; the guest runs on the source
    STOPPED = 'stopped'         #: the same, by our own decision
    FAILED = 'failed'           #: rolled back; the guest runs on the source
    LOST = 'lost'               #: in post-copy, memory will not arrive
    UNWATCHED = 'unwatched'     #: it goes on, but nova-compute is stopping


class Result(typing.NamedTuple):
    end: End
    #: why, unless completed
    error: Exception | str | None = None
    #: libvirt itself saw the guest arrive
    arrived: bool = False


class Monitor:
    """One migration, until it is over.

    :param operation: libvirt's blocking call; its result is None, or the
        exception that ended it. None: a former process has called
    :param requests: what users ask of the running migration; Nova appends
        'force-complete'
    :param can_switch: False for a paused guest, which moves by pre-copy
    :param signals: what happens to the guest
    :param stopping: set when nova-compute stops
    """

    def __init__(self, host: libvirt_host.Host,
                 instance: objects.Instance,
                 operation: futurist.Future | None,
                 requests: collections.deque[str],
                 can_switch: bool,
                 link: Link,
                 reporter: Reporter,
                 signals: Signals,
                 stopping: threading.Event) -> None:
        self.host = host
        self.instance = instance
        self.operation = operation
        self.requests = requests
        self.can_switch = can_switch
        self.link = link
        self.reporter = reporter
        self.signals = signals
        self.stopping = stopping
        self.switched = False
        self.abort_requested = False
        self._stopped_because = ''
        self._interruption: interruption.Interruption | None = None
        self._stream = recovery.Stream()
        self._arrived = False
        self._downtime_set = False
        self._pre_copy = pre_copy.PreCopy(host, instance)
        self._stranded_since: float | None = None
        self._saved = 0.0
        self._reason = ''
        self._switched_at: float | None = None
        # The same as seconds of libvirt's job; None: no longer comparable.
        self._switched_after: float | None = None
        self._info: job.Statistics | None = None
        self._seen_at = 0.0     # when that was
        if operation is not None:
            operation.add_done_callback(signals.wake)

    def watch(self) -> Result:
        """Return when the migration is over."""
        result = None
        while result is None:
            result = self._step()
            self.reporter.go_on()
        self.reporter.finish()
        return result

    def figures(self) -> str:
        """Say what it was like, after a switch."""
        completed = self.signals.completed
        degraded = None
        if None not in (completed, self._switched_after):
            # What libvirt does after the last page does not count.
            degraded = completed.elapsed - self._switched_after
        elif self._switched_at is not None:
            degraded = time.monotonic() - self._switched_at
        return summary.describe(
            self._reason if self._switched_at is not None else '', degraded,
            self._info if completed is None else completed)

    def _step(self) -> Result | None:
        self.signals.wait(self._beat())
        if self.stopping.is_set():
            return Result(End.UNWATCHED)
        over = self._operation_is_over()
        if over and self.operation and self.operation.result() is None:
            return Result(End.COMPLETED, arrived=True)
        found = domain.ask(self.host, self.instance)
        if found is Condition.BROKEN:
            return self._recover()
        if self._interruption is not None and found in _GOES_ON:
            self._resumed()
        if found is Condition.POST_COPY:
            self.switched = True
        if not over or found is Condition.POST_COPY:
            self._follow()
            return None
        if found in condition.HERE:
            return self._here()
        if found in condition.GONE:
            return self._gone(found)
        if found is Condition.MIGRATING:
            return self._between()
        return None

    def _beat(self) -> float:
        awaits = (self._interruption is not None or self._pre_copy.awaits
                  or self.operation is not None and self.operation.done())
        return QUICK_BEAT_S if awaits else BEAT_S

    def _operation_is_over(self) -> bool:
        return self.operation is None or self.operation.done()

    def _error(self) -> Exception | str:
        if self.operation is None:
            return _('not known, because nova-compute was restarted')
        return self.operation.result()

    # While it goes on

    def _follow(self) -> job.Statistics | None:
        """Look at the job, and do what is due.

        :returns: its statistics; None: no job is running
        """
        try:
            info = job.running(self._guest())
        except (libvirt.libvirtError, exception.NovaException) as exc:
            # libvirt may be busy with the domain. The next look will tell.
            LOG.debug('No job statistics: %s', exc, instance=self.instance)
            return None
        if info is None:
            return None
        self._info, self._seen_at = info, time.monotonic()
        if info.memory_total or info.disk_total:
            self._show_progress(info)
        still = self._stream.look(
            (info.memory_processed, info.memory_remaining), time.monotonic())
        if self.switched:
            if still >= recovery.STALLED_AFTER_S:
                self._break_dead_stream()
            return info
        self._allow_downtime()
        if self.can_switch and not self.abort_requested:
            self._carry_out(self._pre_copy.decide(
                info, self.signals.since_boundary(info.memory_iteration),
                # It stays in the queue until the switch succeeds.
                forced='force-complete' in self.requests), still)
        return info

    def _guest(self) -> libvirt_guest.Guest:
        # Looked up anew: libvirt may have been restarted since.
        return self.host.get_guest(self.instance)

    def _show_progress(self, info: job.Statistics) -> None:
        now = time.monotonic()
        if now - self._saved >= BEAT_S:
            self._saved = now
            self.reporter.moving(self.switched)
            self.reporter.progress(
                info, self._pre_copy.per_cent(info, self.switched))

    def _allow_downtime(self) -> None:
        """Let pre-copy end as soon as the rest fits the allowed downtime.

        Upstream raises the limit in steps over minutes, to make the downtime
        of a guest that nearly converges as short as it can be. With post-copy
        at hand there is nothing to wait for.
        """
        if self._downtime_set:
            return
        try:
            self._guest().migrate_configure_max_downtime(
                CONF.libvirt.live_migration_downtime)
            self._downtime_set = True
        except (libvirt.libvirtError, exception.NovaException) as exc:
            LOG.debug('The downtime limit cannot be set yet: %s', exc,
                      instance=self.instance)

    def _carry_out(self, decision: switch.Decision, still: float) -> None:
        """Do what was decided.

        :param still: seconds for which the stream has stood still
        """
        if decision.reason != self._reason:
            self._reason = decision.reason
            LOG.info('Live migration: %(action)s: %(reason)s',
                     {'action': decision.action.value,
                      'reason': decision.reason}, instance=self.instance)
        if decision.action is switch.Action.SWITCH:
            # A guest that is on neither host when libvirt gives the network
            # up is lost.
            if still < recovery.STILL_AFTER_S:
                self._switch()
        elif decision.action is switch.Action.STOP:
            self._stop(decision.reason)

    def _switch(self) -> None:
        """Switch, or leave everything as it is so that we try again."""
        if not self.reporter.switching():
            return
        try:
            self._guest().migrate_start_postcopy()
        except (libvirt.libvirtError, exception.NovaException) as exc:
            # QEMU does not run the migration yet, or not any more.
            LOG.info('The switch to post-copy is not possible at this moment '
                     'and will be tried again: %s', exc,
                     instance=self.instance)
            self.reporter.moving(switched=False)
        else:
            self.switched = True
            self._switched_at = time.monotonic()
            self._switched_after = (
                self._info.elapsed + self._switched_at - self._seen_at)
            self.requests.clear()
            self.reporter.switched_over()
            self.link.cut_over_network()

    def _stop(self, reason: str) -> None:
        """Abort; libvirt's operation will tell that it is over."""
        try:
            self._guest().abort_job()
            self.abort_requested = True
            self._stopped_because = reason
        except (libvirt.libvirtError, exception.NovaException) as exc:
            LOG.info('The live migration cannot be aborted at this moment, '
                     'which will be tried again: %s', exc,
                     instance=self.instance)

    # When the stream breaks

    def _break_dead_stream(self) -> None:
        """Break a stream that stands still, so that it can be resumed."""
        self._stream = recovery.Stream()
        if not self._runs_there():
            return
        LOG.warning('Nothing has arrived on the destination for %d s: the '
                    'stream is taken for dead and broken off',
                    recovery.STALLED_AFTER_S, instance=self.instance)
        try:
            self._guest()._domain.abortJobFlags(
                libvirt.VIR_DOMAIN_ABORT_JOB_POSTCOPY)
        except (libvirt.libvirtError, exception.NovaException) as exc:
            LOG.debug('The stream was not broken off: %s', exc,
                      instance=self.instance)

    def _runs_there(self) -> bool:
        """Whether the destination has started the guest.

        Before it has the state of the devices nothing can be resumed: a
        stream that is broken then is the end of the guest, and one that is
        left alone may go on.
        """
        self._arrived = self._arrived or self.link.destination() in (
            Condition.POST_COPY, Condition.BROKEN)
        return self._arrived

    def _recover(self) -> Result | None:
        self.switched = True
        self._switched_after = None
        self._stream = recovery.Stream()
        if self._interruption is None:
            self._interruption = interruption.Interruption(
                self.instance, self.link, self.reporter)
            self.reporter.interrupted(
                self._error() if self._operation_is_over() else
                _('the stream does not move'))
        reason = self._interruption.step()
        return None if reason is None else Result(End.LOST, reason)

    def _resumed(self) -> None:
        """The attempt that succeeded is the operation from now on."""
        self.operation = self._interruption.attempt
        if self.operation is not None:
            self.operation.add_done_callback(self.signals.wake)
        self._interruption = None
        self.reporter.resumed()

    # When libvirt's operation is over

    def _here(self) -> Result | None:
        if self._follow() is not None:
            # The job of a former process, or one that outlived its call.
            return None
        if self._stopped_because:
            return Result(End.STOPPED, self._stopped_because)
        if self.abort_requested or _is_abort(self._error()):
            return Result(End.CANCELLED, self._error())
        return Result(End.FAILED, self._error())

    def _gone(self, found: Condition) -> Result | None:
        if found is not Condition.SHUTOFF:
            return Result(End.COMPLETED)
        ended = _('its QEMU on the source has ended')
        if self.operation is not None and not self.switched:
            return Result(End.FAILED, ended)
        # It did not leave in good order. How far it had got a process that
        # was restarted does not know, but the destination does.
        there = self.link.destination()
        if there in (None, Condition.MIGRATING):
            return None
        if there in condition.HERE:
            return Result(End.COMPLETED, arrived=True)
        lost = self.reporter.switched or there in (
            Condition.POST_COPY, Condition.BROKEN)
        return Result(End.LOST if lost else End.FAILED, ended)

    def _between(self) -> Result | None:
        """The guest stands still on the source, about to leave.

        If libvirt is restarted at this very moment it may not know any more
        whether the destination has started the guest. Then the destination's
        domain decides.
        """
        now = time.monotonic()
        if self._follow() is not None or self._stranded_since is None:
            self._stranded_since = now
        if now - self._stranded_since < STRANDED_AFTER_S:
            return None
        self._stranded_since = now
        there = self.link.destination()
        try:
            if there in condition.HERE:
                LOG.warning('libvirt has forgotten a migration that succeeded;'
                            ' the copy that stands still here is ended',
                            instance=self.instance)
                self._guest().poweroff()
                return Result(End.COMPLETED, arrived=True)
            if there in condition.GONE:
                LOG.warning('libvirt has forgotten a migration that failed; '
                            'the server goes on here', instance=self.instance)
                self._guest().resume()
        except (libvirt.libvirtError, exception.NovaException) as exc:
            LOG.warning('libvirt could not be helped: %s', exc,
                        instance=self.instance)
        return None


def _is_abort(error: Exception | str) -> bool:
    """Tell whether libvirt says that the job was aborted, by whomever.

    It does not always: QEMU may report the broken stream before the abort.
    """
    return (isinstance(error, libvirt.libvirtError) and
            error.get_error_code() == libvirt.VIR_ERR_OPERATION_ABORTED)
