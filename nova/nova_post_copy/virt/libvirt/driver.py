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

from nova.compute import vm_states
import nova.conf
from nova import context as nova_context
from nova import objects
from nova.virt.libvirt import driver

from nova_post_copy.compute import record
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.migration import arrival
from nova_post_copy.migration import link
from nova_post_copy.migration.live_migration import ABORT
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration import monitor
from nova_post_copy.migration import reporter
from nova_post_copy.migration.result import End
from nova_post_copy.migration.result import Result
from nova_post_copy.migration import write_queue
from nova_post_copy.objects.migration import requested_by
from nova_post_copy.objects.migration import Status
from nova_post_copy import threads
from nova_post_copy.virt.libvirt import answers
from nova_post_copy.virt.libvirt import domain
from nova_post_copy.virt.libvirt import flags
from nova_post_copy.virt.libvirt import guard
from nova_post_copy.virt.libvirt import own_connection
from nova_post_copy.virt.libvirt import signals

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Nova's status of the migrations that did not succeed.
_STATUS = {End.CANCELLED: Status.CANCELLED,
           End.STOPPED: Status.CANCELLED,
           End.FAILED: Status.ERROR}


class LibvirtDriver(answers.Answers, guard.Guard, driver.LibvirtDriver):

    def __init__(self, virtapi, read_only=False) -> None:
        super().__init__(virtapi, read_only)
        # Users' requests for the migrations that we watch on this host, by
        # instance uuid. Upstream has a queue for each live migration.
        self._requests: dict[str, collections.deque[str]] = {}
        self._stopping = threading.Event()
        self._signals = signals.Dispatcher(self._host)
        # When libvirtd exits, the thread that detects it holds this lock and
        # handles the last events. The callback for the closed connection
        # takes the lock again, and upstream's is not reentrant.
        self._host._wrapped_conn_lock = threading.RLock()

    def cleanup_host(self, host) -> None:
        """Leave unfinished migrations to the next start of nova-compute."""
        self._stopping.set()
        self._signals.wake_all()
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
        try:
            record.update(
                instance.uuid, started=True, migrate_data=migrate_data,
                flags=self._flags(instance, migrate_data))
            migrate()
        except Exception:
            LOG.exception('The live migration has not finished and will be '
                          'reconciled', instance=instance)

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
        result = self._watch(context, instance, dest, migrate_data, future)
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

    def _watch(self, context: nova_context.RequestContext,
               instance: objects.Instance, dest: str,
               migrate_data: objects.LibvirtLiveMigrateData,
               operation: futurist.Future | None) -> Result:
        told = reporter.Reporter(
            context, instance, migrate_data.migration, CONF.host, dest,
            write_queue.WriteQueue(threads.spawn))
        migration = LiveMigration(
            self._host, instance, self.active_migrations[instance.uuid],
            can_switch=not _moves_by_pre_copy(instance),
            link=self._link(context, instance, dest, migrate_data),
            reporter=told,
            signals=self._signals.subscribe(instance.uuid),
            stopping=self._stopping)
        self._requests[instance.uuid] = migration.requests
        try:
            result = monitor.watch(migration, operation)
        finally:
            del self._requests[instance.uuid]
            self._signals.unsubscribe(instance.uuid)
        if result.end is End.COMPLETED and not result.arrived:
            result = arrival.wait(migration)
        if result.end is End.COMPLETED:
            told.arrived(
                migration.summary.figures(migration.signals.completed))
            self._forget(instance)
        if result.end is End.LOST:
            told.lost(exception.PostCopyLost(
                host=CONF.host, dest=dest, reason=result.error))
        told.finish()
        return result

    def _forget(self, instance: objects.Instance) -> None:
        """Undefine a domain that has left, so that nobody can start it.

        libvirt itself does so if its own call has lasted until the end.
        """
        if domain.ask(self._host, instance) is Condition.MIGRATED:
            self._undefine_domain(instance)

    def _link(self, context: nova_context.RequestContext,
              instance: objects.Instance, dest: str,
              migrate_data: objects.LibvirtLiveMigrateData) -> link.Link:
        kept = record.load(instance.uuid)
        inbound = ('target_connect_addr' in migrate_data and
                   migrate_data.target_connect_addr)
        addresses = [inbound or dest]
        if kept is not None and kept.recovery_addr:
            addresses.append(kept.recovery_addr)
        return link.Link(
            context, self._host, instance, migrate_data.migration.id, dest,
            addresses,
            target=lambda address: link.Target(
                self._live_migration_uri(address),
                self._migrate_uri(address)
                if inbound or address != dest else None),
            flags=(kept.flags if kept is not None and kept.flags else
                   self._flags(instance, migrate_data)),
            spawn=threads.spawn)

    def _flags(self, instance: objects.Instance,
               migrate_data: objects.LibvirtLiveMigrateData) -> int:
        """Return libvirt's flags for this migration."""
        view = self._for_migration(instance, migrate_data)
        return (view._block_migration_flags if migrate_data.block_migration
                else view._live_migration_flags)

    def emit_event(self, event) -> None:
        self._signals.wake(event.get_instance_uuid())
        super().emit_event(event)

    def live_migration_abort(self, instance: objects.Instance) -> None:
        """Abort the migration; libvirt refuses that after the switch.

        The request is queued first, so that the monitor reports an abort,
        whatever error libvirt gives.
        """
        requests = self._requests.get(instance.uuid)
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
        self._signals.wake(instance.uuid)

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
        if post_copy and not _moves_by_pre_copy(instance):
            change = flags.with_post_copy
        else:
            change = functools.partial(
                flags.without_post_copy,
                auto_converge=CONF.libvirt.live_migration_permit_auto_converge)
        view = copy.copy(self)
        view._live_migration_flags = change(self._live_migration_flags)
        view._block_migration_flags = change(self._block_migration_flags)
        return view


def _moves_by_pre_copy(instance: objects.Instance) -> bool:
    """Tell whether a guest is paused.

    A paused guest dirties no memory, and libvirt refuses to switch it.
    """
    return instance.vm_state == vm_states.PAUSED
