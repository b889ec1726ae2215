# SPDX-License-Identifier: Apache-2.0

"""Report a migration to users: status, progress, events, faults.

The monitor says what happened; the reporter writes it where users already
look. Only :meth:`Reporter.switching` waits for the database.
"""

import functools

from oslo_db import exception as db_exception
from oslo_log import log as logging
import oslo_messaging as messaging

from nova.compute import vm_states
import nova.conf
from nova import context as nova_context
from nova import exception as nova_exception
from nova import objects
from nova.objects import fields
from nova.virt.libvirt import migration as libvirt_migrate

from nova_post_copy import events
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.migration import event_details
from nova_post_copy.migration import write_queue
from nova_post_copy import notifications
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import Status
from nova_post_copy.objects.migration import SWITCHED
from nova_post_copy.virt.libvirt import job

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# What the queue writes until it is written.
_STATUS = 'status'
_VM_STATE = 'vm_state'


class Reporter:
    """Reports of one migration.

    :param host: the source, which is this host
    :param dest: the destination
    """

    def __init__(self, context: nova_context.RequestContext,
                 instance: objects.Instance, migration: objects.Migration,
                 host: str, dest: str, queue: write_queue.WriteQueue) -> None:
        self._context = context
        self._instance = instance
        self._migration = migration
        self._host = host
        self._dest = dest
        self._queue = queue
        self._status = migration.status
        # Told by a former process, as far as it got.
        self._inherited = migration.status == Status.INTERRUPTED_POST_COPY
        # The switch was asked for, and nobody was told that it happened.
        self._switching = False
        # A migration that has just begun has saved nothing: the progress of
        # the instance is that of its previous migration.
        begun = 'memory_total' in migration and migration.memory_total
        self._per_cent = instance.progress or 0 if begun else 0

    @property
    def switched(self) -> bool:
        """Whether the guest may have left, by the status as last saved."""
        return self._status in SWITCHED

    def go_on(self) -> None:
        """Write the reports that are still queued."""
        self._queue.go_on()

    def finish(self) -> None:
        """Wait until everything is written."""
        self._queue.finish()

    # Until the migration has ended

    def progress(self, info: job.Statistics, per_cent: float) -> None:
        """Save how many bytes remain, and the per cent of the server.

        The bytes grow when the guest has written to memory that was sent. The
        per cent never decrease: they wait until it has been sent again.
        """
        self._per_cent = max(self._per_cent, min(round(per_cent), 100))
        left = 100 - self._per_cent
        self._queue.show(lambda: libvirt_migrate.save_stats(
            self._instance, self._migration, info, left))

    def moving(self, switched: bool) -> None:
        """Correct the status if it differs."""
        self._set_status(
            Status.RUNNING_POST_COPY if switched else Status.RUNNING)

    def switching(self) -> bool:
        """Save the status of the switch, before the switch.

        As soon as the guest is suspended on the source, Nova looks the
        migration up by this status to activate the destination's port
        bindings.

        :returns: whether it is saved
        """
        self._queue.finish()
        try:
            if not self._save_status(Status.RUNNING_POST_COPY):
                return False
        except (messaging.MessagingException, db_exception.DBError) as exc:
            LOG.warning('Postponing the switch to post-copy: could not save '
                        'the migration status: %s', exc,
                        instance=self._instance)
            self._migration.status = self._status
            return False
        self._status = Status.RUNNING_POST_COPY
        self._switching = True
        return True

    def switched_over(self) -> None:
        """Report that the guest runs on the destination, degraded; once."""
        if self._switching:
            self._switching = False
            self._queue.tell(lambda: events.start(
                self._context, self._instance, events.DEGRADED))

    # When the stream breaks

    def interrupted(self, error: Exception | str) -> None:
        """Report that the stream broke and recovery begins."""
        fault = exception.PostCopyInterrupted(
            host=self._host, dest=self._dest, reason=error)
        LOG.warning(fault.format_message(), instance=self._instance)
        if self._status == Status.INTERRUPTED_POST_COPY:
            # It was reported before nova-compute was restarted.
            return
        self._set_status(Status.INTERRUPTED_POST_COPY)
        self._queue.tell(lambda: events.start(
            self._context, self._instance, events.RECOVERY))
        self._notify(fields.NotificationPhase.START, fault)

    def resumed(self) -> None:
        """Report that the stream continues."""
        LOG.info('Post-copy resumed', instance=self._instance)
        self._inherited = False
        self._set_status(Status.RUNNING_POST_COPY)
        self._queue.keep(_VM_STATE, self._clear_error)
        self._queue.tell(lambda: events.finish(
            self._context, self._instance, events.RECOVERY))
        self._notify(fields.NotificationPhase.END)

    def unreachable(self) -> None:
        """Report that the destination has not answered for a long time."""
        fault = exception.PostCopyUnreachable(
            host=self._host, dest=self._dest)
        if CONF.post_copy.error_when_unreachable:
            self._queue.keep(_VM_STATE, self._set_error)
        inherited = self._inherited
        self._queue.tell(lambda: self._tell_once(fault, inherited))

    def _tell_once(self, fault: exception.PostCopyFault,
                   inherited: bool) -> None:
        if inherited and self._is_newest_fault(fault):
            return
        instance_fault.add(self._context, self._instance, fault)
        notifications.notify(
            self._context, self._instance, self._host,
            fields.NotificationPhase.PROGRESS, fault)

    def _is_newest_fault(self, fault: exception.PostCopyFault) -> bool:
        newest = objects.InstanceFaultList.get_latest_by_instance_uuids(
            self._context, [self._instance.uuid])
        return any(told.details == fault.format_message() and
                   told.created_at >= self._migration.created_at
                   for told in newest)

    def arrived(self, figures: str | None = None) -> None:
        """Report that the memory is complete.

        :param figures: the summary, if the migration was switched
        """
        if not self.switched:
            # The last steps wait for this method: the network is next.
            return
        self._queue.keep(_VM_STATE, self._clear_error)
        if self._status == Status.INTERRUPTED_POST_COPY:
            # Its memory had arrived, or was not needed any more.
            self._queue.tell(lambda: events.finish(
                self._context, self._instance, events.RECOVERY))
            self._notify(fields.NotificationPhase.END)
        self.switched_over()
        finish = (events.finish if figures is None else functools.partial(
            event_details.finish, details=figures))
        self._queue.tell(lambda: finish(
            self._context, self._instance, events.DEGRADED))

    def lost(self, fault: nova_exception.NovaException) -> None:
        """Report that the memory on the source will not be transferred."""
        open_events = []
        if self._status == Status.INTERRUPTED_POST_COPY:
            open_events.append(events.RECOVERY)
        if self.switched:
            self.switched_over()
            open_events.append(events.DEGRADED)
        for event in open_events:
            self._queue.tell(functools.partial(
                events.fail, self._context, self._instance, event,
                fault.format_message()))
        self._notify(fields.NotificationPhase.ERROR, fault)

    def _notify(self, phase: str, exc: Exception | None = None) -> None:
        self._queue.tell(lambda: notifications.notify(
            self._context, self._instance, self._host, phase, exc))

    def _set_status(self, status: str) -> None:
        if status != self._status:
            self._status = status
            self._queue.keep(_STATUS, lambda: self._save_status(status))

    def _save_status(self, status: str) -> bool:
        """Save the status, unless an operator has ended the migration.

        :returns: whether it is saved
        """
        if self._is_over():
            LOG.warning('The live migration is over in the database: its '
                        'status is not set to "%s"', status,
                        instance=self._instance)
            return False
        self._migration.status = status
        self._migration.save()
        return True

    def _is_over(self) -> bool:
        return objects.Migration.get_by_id(
            self._context, self._migration.id).status in FINAL

    def _set_error(self) -> None:
        self._change_vm_state(vm_states.ACTIVE, vm_states.ERROR)

    def _clear_error(self) -> None:
        # Nova does not migrate a server that is in ERROR.
        self._change_vm_state(vm_states.ERROR, vm_states.ACTIVE)

    def _change_vm_state(self, before: str, after: str) -> None:
        # Read anew: the destination reports to users as well, and so does an
        # operator who gives the migration up.
        instance = objects.Instance.get_by_uuid(
            self._context, self._instance.uuid)
        if instance.vm_state == before and not self._is_over():
            instance.vm_state = after
            instance.save()
