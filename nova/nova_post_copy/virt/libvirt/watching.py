# SPDX-License-Identifier: Apache-2.0

"""Watch the migrations that leave this host, each to its end."""

import collections
from collections.abc import Callable
import threading
import typing

import futurist

from nova.compute import vm_states
import nova.conf
from nova import context as nova_context
from nova import objects

from nova_post_copy.compute import record
from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception
from nova_post_copy.migration import arrival
from nova_post_copy.migration import link
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration import monitor
from nova_post_copy.migration import reporter
from nova_post_copy.migration.result import End
from nova_post_copy.migration.result import Result
from nova_post_copy.migration.slot import Slot
from nova_post_copy.migration import write_queue
from nova_post_copy import threads
from nova_post_copy.virt.libvirt import domain
from nova_post_copy.virt.libvirt import signals

CONF = nova.conf.CONF


class Watches:
    """The migrations that a driver watches.

    :param driver: our libvirt driver
    """

    def __init__(self, driver: typing.Any) -> None:
        self._driver = driver
        self._stopping = threading.Event()
        self._slots: dict[str, Slot] = {}
        #: users' requests, by instance uuid; upstream has a queue for each
        #: live migration
        self.requests: dict[str, collections.deque[str]] = {}
        self.signals = signals.Dispatcher(driver._host)

    def stop(self) -> None:
        """Leave the migrations to the next start of nova-compute."""
        self._stopping.set()
        self.signals.wake_all()

    def occupy_slot(self, instance_uuid: str,
                    work: Callable[[], None]) -> None:
        """Do the work of one migration in Nova's slot.

        Return when it is done or has given the slot back.
        """
        slot = self._slots[instance_uuid] = Slot()
        slot.occupy(work)

    def work(self, instance_uuid: str) -> futurist.Future | None:
        """Return the work of a migration whose slot is free.

        To be asked once.

        :returns: None if no migration was begun; else a future that may be
            done already
        """
        slot = self._slots.pop(instance_uuid, None)
        return None if slot is None else slot.work

    def watch(self, context: nova_context.RequestContext,
              instance: objects.Instance, dest: str,
              migrate_data: objects.LibvirtLiveMigrateData,
              operation: futurist.Future | None) -> Result:
        """Watch a migration until it has ended; report that to users.

        :param operation: libvirt's blocking call; None: of a former process
        """
        told = reporter.Reporter(
            context, instance, migrate_data.migration, CONF.host, dest,
            write_queue.WriteQueue(threads.spawn))
        migration = LiveMigration(
            self._driver._host, instance,
            self._driver.active_migrations[instance.uuid],
            can_switch=not moves_by_pre_copy(instance),
            link=self._link(context, instance, dest, migrate_data),
            reporter=told,
            signals=self.signals.subscribe(instance.uuid),
            stopping=self._stopping,
            slot=self._slots.get(instance.uuid) or Slot())
        self.requests[instance.uuid] = migration.requests
        try:
            result = monitor.watch(migration, operation)
        finally:
            del self.requests[instance.uuid]
            self.signals.unsubscribe(instance.uuid)
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

        libvirt itself does so if its own call has lasted until the end. A
        copy that we have stopped stays defined as well.
        """
        if domain.ask_for_result(self._driver._host, instance) in (
                Condition.MIGRATED, *condition.OFF):
            self._driver._undefine_domain(instance)

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
            context, self._driver._host, instance,
            migrate_data.migration.id, dest, addresses,
            target=lambda address: link.Target(
                self._driver._live_migration_uri(address),
                self._driver._migrate_uri(address)
                if inbound or address != dest else None),
            flags=(kept.flags if kept is not None and kept.flags else
                   self._driver.migration_flags(instance, migrate_data)),
            spawn=threads.spawn,
            resume_refusal=kept.resume_refusal if kept is not None else None)


def moves_by_pre_copy(instance: objects.Instance) -> bool:
    """Tell whether a guest is paused.

    A paused guest dirties no memory, and libvirt refuses to switch it.
    """
    return instance.vm_state == vm_states.PAUSED
