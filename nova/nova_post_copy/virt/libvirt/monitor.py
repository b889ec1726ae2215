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

"""Watch one live migration that may finish by post-copy.

The loop feeds statistics to :mod:`.switch` and carries out its decision. What
it must never do is to call a migration failed while the guest may be running
on the destination: the rollback would destroy the only live copy. So the end
of libvirt's operation, and not the statistics, says that a migration is over;
and after the switch only the source domain says how it went.
"""

import collections
import enum
import time
import typing

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

import futurist
from futurist import waiters
from oslo_log import log as logging
import oslo_messaging as messaging

import nova.conf
from nova import objects
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import migration as libvirt_migrate

from nova_post_copy.virt.libvirt import switch

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

RUNNING = 'running'
POST_COPY = 'running (post-copy)'

# Seconds between two looks at the statistics, and between two records of the
# progress in the database (two RPC calls each).
POLL_INTERVAL = 0.25
SAVE_INTERVAL = 1.0


class End(enum.Enum):
    """How a migration ended."""

    COMPLETED = 'completed'     #: the guest runs on the destination
    CANCELLED = 'cancelled'     #: aborted; the guest runs on the source
    FAILED = 'failed'           #: rolled back; the guest runs on the source


class Result(typing.NamedTuple):
    end: End
    error: Exception | None     #: why, unless completed


class Monitor:
    """One migration, from the start of libvirt's operation to its end.

    :param operation: libvirt's blocking call; its result is None, or the
        exception that ended it
    :param requests: what users ask of the running migration; Nova appends
        'force-complete'
    :param can_switch: False for a paused guest, which moves by pre-copy
    :param on_interrupted: called once when the migration is interrupted after
        the switch, with the error
    """

    def __init__(self, guest: libvirt_guest.Guest,
                 instance: objects.Instance,
                 migration: objects.Migration,
                 operation: futurist.Future,
                 requests: collections.deque[str],
                 can_switch: bool,
                 on_interrupted: typing.Callable[[Exception], None]) -> None:
        self.guest = guest
        self.instance = instance
        self.migration = migration
        self.operation = operation
        self.requests = requests
        self.can_switch = can_switch
        self.on_interrupted = on_interrupted
        self.switched = False
        self.abort_requested = False
        self._downtime_set = False
        self._memory_since: float | None = None
        self._saved = 0.0
        self._reason = ''

    def watch(self) -> Result:
        """Return when the migration is over."""
        while not self._wait_for_operation(POLL_INTERVAL):
            info = self._job_info()
            if info is None:
                continue
            self._save_progress(info)
            self._allow_downtime()
            if self.can_switch and not (
                    self.switched or self.abort_requested):
                self._switch_if_due(info)
        return self._result()

    def _wait_for_operation(self, timeout: float) -> bool:
        waiters.wait_for_any([self.operation], timeout=timeout)
        return self.operation.done()

    def _job_info(self) -> libvirt_guest.JobInfo | None:
        """Return the statistics of the job if it is running."""
        try:
            info = self.guest.get_job_info()
        except libvirt.libvirtError as exc:
            # libvirt may be busy with the domain. The next look will tell.
            LOG.debug('No job statistics: %s', exc, instance=self.instance)
            return None
        if info.type != libvirt.VIR_DOMAIN_JOB_UNBOUNDED:
            return None
        return info

    def _save_progress(self, info: libvirt_guest.JobInfo) -> None:
        now = time.monotonic()
        if now - self._saved < SAVE_INTERVAL or not info.memory_total:
            return
        self._saved = now
        try:
            libvirt_migrate.save_stats(
                self.instance, self.migration, info,
                round(info.memory_remaining * 100 / info.memory_total))
        except messaging.MessagingException as exc:
            # Progress is for the eye: the migration goes on without it.
            LOG.warning('The progress of the live migration could not be '
                        'saved: %s', exc, instance=self.instance)

    def _allow_downtime(self) -> None:
        """Let pre-copy end as soon as the rest fits the allowed downtime.

        Upstream raises the limit in steps over minutes, to make the downtime
        of a guest that nearly converges as short as it can be. With post-copy
        at hand there is nothing to wait for.
        """
        if self._downtime_set:
            return
        try:
            self.guest.migrate_configure_max_downtime(
                CONF.libvirt.live_migration_downtime)
            self._downtime_set = True
        except libvirt.libvirtError as exc:
            LOG.debug('The downtime limit cannot be set yet: %s', exc,
                      instance=self.instance)

    def _switch_if_due(self, info: libvirt_guest.JobInfo) -> None:
        decision = self._decide(info)
        if decision.reason != self._reason:
            self._reason = decision.reason
            LOG.info('Live migration: %(action)s: %(reason)s',
                     {'action': decision.action.value,
                      'reason': decision.reason}, instance=self.instance)
        if decision.action is switch.Action.SWITCH:
            self._switch()

    def _decide(self, info: libvirt_guest.JobInfo) -> switch.Decision:
        if self._memory_since is None and info.memory_iteration:
            self._memory_since = time.monotonic()
        return switch.decide(
            switch.Progress(
                iteration=info.memory_iteration,
                remaining=info.memory_remaining,
                bandwidth=info.memory_bps,
                elapsed=(0.0 if self._memory_since is None else
                         time.monotonic() - self._memory_since)),
            downtime=CONF.libvirt.live_migration_downtime / 1000,
            timeout=self._timeout(),
            # It stays in the queue until the switch succeeds.
            forced='force-complete' in self.requests)

    def _timeout(self) -> float:
        # Upstream counts at least 2 GiB. It adds the disks, whose time is
        # not counted here.
        gigabytes = max(2, self.instance.flavor.memory_mb / 1024)
        return CONF.libvirt.live_migration_completion_timeout * gigabytes

    def _switch(self) -> None:
        """Switch, or leave everything as it is so that we try again.

        The status comes first: as soon as the guest is suspended on the
        source, Nova looks the migration up by this status to activate the
        destination's port bindings.
        """
        if not self._save_status(POST_COPY):
            return
        try:
            self.guest.migrate_start_postcopy()
        except libvirt.libvirtError as exc:
            # QEMU does not run the migration yet, or not any more.
            LOG.info('The switch to post-copy is not possible at this moment '
                     'and will be tried again: %s', exc,
                     instance=self.instance)
            self._save_status(RUNNING)
        else:
            self.switched = True
            self.requests.clear()

    def _save_status(self, status: str) -> bool:
        self.migration.status = status
        try:
            self.migration.save()
        except messaging.MessagingException as exc:
            LOG.warning('The status "%(status)s" of the live migration could '
                        'not be saved, the switch to post-copy waits: '
                        '%(error)s', {'status': status, 'error': exc},
                        instance=self.instance)
            return False
        return True

    def _result(self) -> Result:
        error = self.operation.result()
        if error is None:
            return Result(End.COMPLETED, None)
        if self.switched:
            self._wait_for_source(error)
        if self._left_source():
            return Result(End.COMPLETED, None)
        if self.abort_requested or _is_abort(error):
            return Result(End.CANCELLED, error)
        return Result(End.FAILED, error)

    def _left_source(self) -> bool:
        job_type = libvirt_migrate.find_job_type(self.guest, self.instance)
        return job_type == libvirt.VIR_DOMAIN_JOB_COMPLETED

    def _wait_for_source(self, error: Exception) -> None:
        """Wait until the source says where the guest is.

        Between the switch and the last page the guest's memory is on both
        hosts, and the source domain stays suspended. Should the migration be
        interrupted now, it can be resumed; nothing may be cleaned up.
        """
        told = False
        while not (self._left_source() or self._runs_on_source()):
            if not told:
                self.on_interrupted(error)
                told = True
            time.sleep(SAVE_INTERVAL)

    def _runs_on_source(self) -> bool:
        try:
            state, _reason = self.guest._domain.state()
        except libvirt.libvirtError:
            return False
        return state == libvirt.VIR_DOMAIN_RUNNING


def _is_abort(error: Exception) -> bool:
    """Tell whether libvirt says that the job was aborted, by whomever.

    It does not always: QEMU may report the broken stream before the abort.
    """
    return (isinstance(error, libvirt.libvirtError) and
            error.get_error_code() == libvirt.VIR_ERR_OPERATION_ABORTED)
