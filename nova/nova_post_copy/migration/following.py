# SPDX-License-Identifier: Apache-2.0

"""Follow libvirt's job while it runs, and determine how it ended.

The phases before and after the switch have this in common.
"""

import abc
import dataclasses
import time
import typing

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

import futurist
from oslo_log import log as logging

from nova import exception
from nova.i18n import _

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import recovery
from nova_post_copy.decisions import stranded
from nova_post_copy.migration import live_migration
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration import phase
from nova_post_copy.migration.phase import MonitorPhase
from nova_post_copy.migration.result import End
from nova_post_copy.migration.result import Result
from nova_post_copy.virt.libvirt import job

LOG = logging.getLogger(__name__)

# Seconds after which a guest that is paused between the hosts, with no job
# that moves it, is treated as abandoned by a libvirtd that was restarted.
STRANDED_AFTER_S = 10.0


class Answers:
    """Counts how often in a row the destination has answered the same."""

    def __init__(self) -> None:
        self.last: Condition | None = None
        self.times = 0
        self.seconds = 0.0
        self._first = 0.0

    def add(self, answer: Condition | None, now: float) -> None:
        """Add an answer; None: there was none."""
        if answer is not self.last or not self.times:
            self.last, self.times, self._first = answer, 0, now
        self.times += 1
        self.seconds = now - self._first


@dataclasses.dataclass
class Course:
    """State of libvirt's job, handed from phase to phase."""

    stream: recovery.Stream = dataclasses.field(
        default_factory=recovery.Stream)
    #: seconds for which the stream has been stalled
    still: float = 0.0
    #: when the progress was last saved
    saved: float = 0.0
    #: when a guest between the hosts was first seen, last had a job, or the
    #: destination was last asked about it
    stranded_since: float | None = None
    #: what the destination says of a guest between the hosts
    answers: Answers = dataclasses.field(default_factory=Answers)
    #: the status of the switch was saved, whatever came of it
    switch_saved: bool = False
    #: why we have aborted the migration; empty: we have not
    stopped_because: str = ''


class Following(MonitorPhase):
    """A phase in which libvirt's job runs."""

    #: the guest may run on the destination
    switched: typing.ClassVar[bool]

    def __init__(self, migration: LiveMigration,
                 operation: futurist.Future | None, course: Course) -> None:
        super().__init__(migration, operation)
        self.course = course

    def step(self, found: Condition, over: bool) -> MonitorPhase | Result:
        if not over or found is Condition.POST_COPY:
            return self._follow() or self
        if found in condition.HERE:
            # The job may belong to a former process, or outlive its call.
            return self._follow() or self._rolled_back()
        if found in condition.GONE:
            return self._gone(found) or self
        if found is Condition.MIGRATING:
            return self._between()
        return self

    @abc.abstractmethod
    def _follow(self) -> MonitorPhase | None:
        """Read the job's statistics, and act on them.

        :returns: the next phase; None: no job is running
        """

    @abc.abstractmethod
    def _sent_again(self, info: job.Statistics) -> float:
        """Return how many bytes are likely to be sent again."""

    def look(self) -> job.Statistics | None:
        """Return the statistics of the job; None: no job is running."""
        try:
            info = job.running(self.migration.guest())
        except (libvirt.libvirtError, exception.NovaException) as exc:
            # libvirt may be busy with the domain. The next look will succeed.
            LOG.debug('No job statistics: %s', exc,
                      instance=self.migration.instance)
            return None
        if info is None:
            return None
        self.migration.summary.saw(info)
        if info.memory_total or info.disk_total:
            self._show_progress(info)
        self.course.still = self.course.stream.look(
            (info.memory_processed, info.memory_remaining), time.monotonic())
        return info

    def _show_progress(self, info: job.Statistics) -> None:
        now = time.monotonic()
        if now - self.course.saved >= phase.BEAT_S:
            self.course.saved = now
            reporter = self.migration.reporter
            reporter.moving(self.switched)
            reporter.progress(info, per_cent(info, self._sent_again(info)))

    # When libvirt's operation is over

    def _rolled_back(self) -> Result:
        if self.course.stopped_because:
            return Result(End.STOPPED, self.course.stopped_because)
        error = self.error()
        aborted = (live_migration.ABORT in self.migration.requests
                   or _is_abort(error))
        return Result(End.CANCELLED if aborted else End.FAILED, error)

    def _gone(self, found: Condition) -> Result | None:
        if found not in condition.OFF:
            return Result(End.COMPLETED)
        # The guest did not leave in good order. How far it had got is known
        # to the destination only: at the end of pre-copy it may have started
        # the guest before libvirt here was told.
        there = self.migration.link.destination()
        if there in (None, Condition.MIGRATING):
            return None
        switched = self.switched or self.migration.reporter.switched
        if (there in (Condition.RUNNING, *condition.SHUT_DOWN) or
                there in condition.HERE and not switched):
            return Result(End.COMPLETED, arrived=True)
        ended = (_('the server has shut itself down')
                 if found is Condition.POWERED_OFF and not switched else
                 _('QEMU on the source has exited'))
        lost = switched or there in (Condition.POST_COPY, Condition.BROKEN)
        return Result(End.LOST if lost else End.FAILED, ended)

    def _between(self) -> MonitorPhase | Result:
        """Follow a guest that is paused on the source, about to leave.

        If libvirtd is restarted at this moment, it may no longer know whether
        the destination has started the guest. Then the destination's domain
        decides.
        """
        now = time.monotonic()
        following = self._follow()
        course = self.course
        if following is not None or course.stranded_since is None:
            course.stranded_since = now
            course.answers = Answers()
        if now - course.stranded_since < STRANDED_AFTER_S:
            return following or self
        course.stranded_since = now
        return self._ask_about_stranded(now) or self

    def _ask_about_stranded(self, now: float) -> Result | None:
        """Stop the paused copy on this host, or resume it, if that is sure."""
        link, course = self.migration.link, self.course
        answers = course.answers
        answers.add(link.destination(), now)
        decision = stranded.decide(stranded.Situation(
            destination=answers.last, times=answers.times,
            seconds=answers.seconds,
            switched=(self.switched or course.switch_saved or
                      self.migration.reporter.switched),
            over=link.is_over()))
        LOG.warning('libvirt has forgotten a migration: the server is paused '
                    'on this host. Decision: %(action)s, because %(reason)s',
                    {'action': decision.action.value,
                     'reason': decision.reason},
                    instance=self.migration.instance)
        if decision.action is stranded.Action.GIVE_UP:
            return Result(End.LOST, decision.reason)
        try:
            if decision.action is stranded.Action.STOP:
                self.migration.guest().poweroff()
                return Result(End.COMPLETED, arrived=True)
            if decision.action is stranded.Action.START:
                self.migration.guest().resume()
        except (libvirt.libvirtError, exception.NovaException) as exc:
            LOG.warning('Could not stop or resume the guest on this host, '
                        'retrying: %s', exc, instance=self.migration.instance)
        return None


def per_cent(info: job.Statistics, again: float) -> float:
    """Return the progress of a migration in per cent.

    :param again: bytes that are likely to be sent again
    """
    done = info.memory_processed
    return 100 * done / max(done + info.memory_remaining + again, 1)


def _is_abort(error: Exception | str) -> bool:
    """Tell whether libvirt reports that the job was aborted, by anyone.

    libvirt does not always: QEMU may report the broken stream before the
    abort.
    """
    return (isinstance(error, libvirt.libvirtError) and
            error.get_error_code() == libvirt.VIR_ERR_OPERATION_ABORTED)
