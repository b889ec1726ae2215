# SPDX-License-Identifier: Apache-2.0

"""Extend upstream's libvirt driver with post-copy per migration.

A migration whose request has ``post_copy`` runs with flags of its own; with
``post_copy`` true it is watched by :mod:`nova_post_copy.migration.monitor`.
All others are unchanged.
"""

import collections
import copy
import functools
import threading

import futurist
from oslo_log import log as logging

import nova.conf
from nova import context as nova_context
from nova import objects
from nova.virt.libvirt import driver

from nova_post_copy.compute import record
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.migration.live_migration import ABORT
from nova_post_copy.migration.result import End
from nova_post_copy.objects.migration import requested_by
from nova_post_copy.objects.migration import Status
from nova_post_copy.virt.libvirt import answers
from nova_post_copy.virt.libvirt import flags
from nova_post_copy.virt.libvirt import guard
from nova_post_copy.virt.libvirt import own_connection
from nova_post_copy.virt.libvirt import watching

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Nova's status of the migrations that did not succeed.
_STATUS = {End.CANCELLED: Status.CANCELLED,
           End.STOPPED: Status.CANCELLED,
           End.FAILED: Status.ERROR}


class LibvirtDriver(answers.Answers, guard.Guard, driver.LibvirtDriver):

    def __init__(self, virtapi, read_only=False) -> None:
        super().__init__(virtapi, read_only)
        self._watches = watching.Watches(self)
        # When libvirtd exits, the thread that detects it holds this lock and
        # handles the last events. The callback for the closed connection
        # takes the lock again, and upstream's is not reentrant.
        self._host._wrapped_conn_lock = threading.RLock()

    def cleanup_host(self, host) -> None:
        """Leave unfinished migrations to the next start of nova-compute."""
        self._watches.stop()
        super().cleanup_host(host)

    # One migration

    def live_migration(self, context, instance, dest, post_method,
                       recover_method, block_migration=False,
                       migrate_data=None) -> None:
        """Start the migration and watch it until it has ended.

        For a request with ``post_copy: true`` nothing is raised: upstream
        would set the server to ERROR although it runs on one of the hosts.
        nova-compute determines which one, as after a restart.
        """
        migrate = functools.partial(
            super().live_migration, context, instance, dest, post_method,
            recover_method, block_migration, migrate_data)
        if not requested_by(migrate_data):
            migrate()
            return

        def migrate_from_record() -> None:
            try:
                record.update(
                    instance.uuid, started=True, migrate_data=migrate_data,
                    flags=self.migration_flags(instance, migrate_data))
                migrate()
            except Exception:
                LOG.exception('The live migration has not finished and will '
                              'be reconciled', instance=instance)

        self._watches.occupy_slot(instance.uuid, migrate_from_record)

    def post_copy_work(self, instance_uuid: str) -> futurist.Future | None:
        """Return what is left of a migration when its slot is free."""
        return self._watches.work(instance_uuid)

    def watch_live_migration(
            self, context: nova_context.RequestContext,
            instance: objects.Instance, dest: str, post_method,
            recover_method, block_migration: bool,
            migrate_data: objects.LibvirtLiveMigrateData) -> None:
        """Watch a migration that a former process may have started."""
        self.active_migrations[instance.uuid] = collections.deque()
        self._live_migration_monitor(
            context, instance, None, dest, post_method, recover_method,
            block_migration, migrate_data, None, [])

    def _live_migration_operation(self, context, instance, dest,
                                  block_migration, migrate_data, guest,
                                  device_names) -> Exception | None:
        """Carry out the migration; block until libvirt has finished.

        For a request with ``post_copy: true`` an error is returned, not
        raised: the monitor determines what it means.
        """
        operation = functools.partial(
            super(LibvirtDriver, self._for_migration(instance, migrate_data)
                  )._live_migration_operation,
            context, instance, dest, block_migration, migrate_data)
        if not requested_by(migrate_data):
            return operation(guest, device_names)
        try:
            operation(own_connection.guest(self._host, instance),
                      device_names)
        except Exception as exc:
            return exc
        return None

    def _live_migration_monitor(self, context, instance, guest, dest,
                                post_method, recover_method, block_migration,
                                migrate_data, future, disk_paths) -> None:
        if not requested_by(migrate_data):
            super(LibvirtDriver, self._for_migration(instance, migrate_data)
                  )._live_migration_monitor(
                context, instance, guest, dest, post_method, recover_method,
                block_migration, migrate_data, future, disk_paths)
            return
        result = self._watches.watch(
            context, instance, dest, migrate_data, future)
        if result.end is End.UNWATCHED:
            LOG.info('nova-compute is stopping; the live migration continues '
                     'and is reconciled at the next start', instance=instance)
        elif result.end is End.COMPLETED:
            LOG.info('Live migration completed: the server runs on %s', dest,
                     instance=instance)
            post_method(context, instance, dest, block_migration,
                        migrate_data)
        elif result.end is End.LOST:
            post_method(context, instance, dest, block_migration,
                        migrate_data, lost=exception.PostCopyLost(
                            host=CONF.host, dest=dest, reason=result.error))
        else:
            LOG.info('Live migration %s: the server runs on this host',
                     result.end.value, instance=instance)
            recover_method(context, instance, dest, migrate_data,
                           migration_status=_STATUS[result.end])
            if result.end is not End.CANCELLED:
                instance_fault.add(
                    context, instance, exception.PostCopyRolledBack(
                        host=CONF.host, dest=dest, reason=result.error))
        self._clear_empty_migration(instance)

    def migration_flags(self, instance: objects.Instance,
                        migrate_data: objects.LibvirtLiveMigrateData) -> int:
        """Return libvirt's flags for this migration."""
        view = self._for_migration(instance, migrate_data)
        return (view._block_migration_flags if migrate_data.block_migration
                else view._live_migration_flags)

    def emit_event(self, event) -> None:
        self._watches.signals.wake(event.get_instance_uuid())
        super().emit_event(event)

    def live_migration_abort(self, instance: objects.Instance) -> None:
        """Abort the migration; libvirt refuses that after the switch.

        The request is queued first, so that the monitor reports an abort,
        whatever error libvirt gives.
        """
        requests = self._watches.requests.get(instance.uuid)
        if requests is None:
            super().live_migration_abort(instance)
            return
        requests.append(ABORT)
        try:
            super().live_migration_abort(instance)
        except Exception:
            requests.remove(ABORT)
            raise

    def live_migration_force_complete(
            self, instance: objects.Instance) -> None:
        super().live_migration_force_complete(instance)
        self._watches.signals.wake(instance.uuid)

    def _for_migration(
            self, instance: objects.Instance,
            migrate_data: objects.LibvirtLiveMigrateData) -> 'LibvirtDriver':
        """Return the driver with the flags for this migration.

        Upstream keeps the flags on the driver, which all migrations share. A
        shallow copy shares everything else.
        """
        post_copy = requested_by(migrate_data)
        if post_copy is None:
            return self
        if post_copy and not watching.moves_by_pre_copy(instance):
            change = flags.with_post_copy
        else:
            change = functools.partial(
                flags.without_post_copy,
                auto_converge=CONF.libvirt.live_migration_permit_auto_converge)
        view = copy.copy(self)
        view._live_migration_flags = change(self._live_migration_flags)
        view._block_migration_flags = change(self._block_migration_flags)
        return view
