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

"""Upstream's libvirt driver, with post-copy for single migrations.

A migration that names ``post_copy`` is carried out with flags of its own; one
that says true is watched by :mod:`.monitor`. For all others nothing changes.
"""

import copy
import functools

from oslo_log import log as logging

from nova.compute import utils as compute_utils
from nova.compute import vm_states
import nova.conf
from nova import exception as nova_exception
from nova import objects
from nova.virt.libvirt import driver

from nova_post_copy import exception
from nova_post_copy.objects.migration import requested
from nova_post_copy import traits
from nova_post_copy.virt.libvirt import capability
from nova_post_copy.virt.libvirt import flags
from nova_post_copy.virt.libvirt import monitor

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# The event of the instance action that says what went wrong.
EVENT = 'compute_live_migration_post_copy'
# What Nova calls the migrations that did not succeed.
_STATUS = {monitor.End.CANCELLED: 'cancelled', monitor.End.FAILED: 'error'}


class LibvirtDriver(driver.LibvirtDriver):

    def __init__(self, virtapi, read_only=False) -> None:
        super().__init__(virtapi, read_only)
        self._post_copy_refusals = None
        # What we watch on this host, by instance uuid.
        self._monitors: dict[str, monitor.Monitor] = {}

    # Who can take part

    def init_host(self, host) -> None:
        super().init_host(host)
        self.post_copy_destination_refusals()

    def update_provider_tree(
            self, provider_tree, nodename, allocations=None) -> None:
        super().update_provider_tree(provider_tree, nodename, allocations)
        if self.post_copy_destination_refusals():
            provider_tree.remove_traits(nodename, traits.POST_COPY)
        else:
            provider_tree.add_traits(nodename, traits.POST_COPY)

    def post_copy_source_refusals(
            self, instance: objects.Instance) -> list[str]:
        """Say why an instance cannot leave this host by post-copy.

        :raises nova.exception.InstanceNotFound: it is not on this host
        """
        guest = self._host.get_guest(instance)
        return (capability.source_refusals(self._host) +
                capability.guest_refusals(guest.get_xml_desc()))

    def post_copy_destination_refusals(self) -> list[str]:
        """Say why no instance can enter this host by post-copy.

        Looked at anew each time: an operator may have set the sysctl since.
        """
        refusals = capability.destination_refusals(self._host)
        if refusals != self._post_copy_refusals:
            self._post_copy_refusals = refusals
            if refusals:
                LOG.warning('This host is no destination of post-copy live '
                            'migrations: %s', '; '.join(refusals))
            else:
                LOG.info('This host can be the destination of post-copy live '
                         'migrations')
        return refusals

    # One migration

    def _live_migration_operation(self, context, instance, dest,
                                  block_migration, migrate_data, guest,
                                  device_names) -> Exception | None:
        """Carry out the migration; blocks until libvirt is done.

        For a request with ``post_copy: true`` an error is the result: what it
        means is for the monitor to find out. Raised, it would make Nova put
        an instance in ERROR that was rolled back well.
        """
        operation = functools.partial(
            super(LibvirtDriver, self._for_migration(instance, migrate_data)
                  )._live_migration_operation,
            context, instance, dest, block_migration, migrate_data, guest,
            device_names)
        if not requested(migrate_data.migration):
            return operation()
        try:
            operation()
        except Exception as exc:
            return exc
        return None

    def _live_migration_monitor(self, context, instance, guest, dest,
                                post_method, recover_method, block_migration,
                                migrate_data, future, disk_paths) -> None:
        if not requested(migrate_data.migration):
            super(LibvirtDriver, self._for_migration(instance, migrate_data)
                  )._live_migration_monitor(
                context, instance, guest, dest, post_method, recover_method,
                block_migration, migrate_data, future, disk_paths)
            return

        self._monitors[instance.uuid] = monitor.Monitor(
            guest, instance, migrate_data.migration, future,
            self.active_migrations[instance.uuid],
            can_switch=not _moves_by_pre_copy(instance),
            on_interrupted=lambda error: _tell(
                context, instance, exception.PostCopyInterrupted(
                    host=instance.host, dest=dest, reason=error)))
        try:
            result = self._monitors[instance.uuid].watch()
        finally:
            del self._monitors[instance.uuid]
        if result.end is monitor.End.COMPLETED:
            LOG.info('Live migration completed: the server runs on %s', dest,
                     instance=instance)
            post_method(context, instance, dest, block_migration,
                        migrate_data)
        else:
            LOG.info('Live migration %s: the server runs on this host',
                     result.end.value, instance=instance)
            recover_method(context, instance, dest, migrate_data,
                           migration_status=_STATUS[result.end])
            if result.end is monitor.End.FAILED:
                _tell(context, instance, exception.PostCopyRolledBack(
                    host=instance.host, dest=dest, reason=result.error))
        self._clear_empty_migration(instance)

    def live_migration_abort(self, instance: objects.Instance) -> None:
        """Abort; refused by libvirt after the switch.

        The monitor is told first: what then ends the migration is the abort,
        whatever libvirt says that it was.
        """
        watching = self._monitors.get(instance.uuid)
        if watching is not None:
            watching.abort_requested = True
        try:
            super().live_migration_abort(instance)
        except Exception:
            if watching is not None:
                watching.abort_requested = False
            raise

    def _for_migration(
            self, instance: objects.Instance,
            migrate_data: objects.LibvirtLiveMigrateData) -> 'LibvirtDriver':
        """Return the driver with the flags of this one migration.

        Upstream keeps the flags on the driver, which all migrations share. A
        shallow copy shares everything else.
        """
        post_copy = requested(migrate_data.migration)
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
    """A paused guest dirties nothing, and libvirt refuses to switch it."""
    return instance.vm_state == vm_states.PAUSED


def _tell(context, instance: objects.Instance,
          fault: nova_exception.NovaException) -> None:
    """Put a reason where users look: instance fault and instance action."""
    LOG.error(fault.format_message(), instance=instance)
    compute_utils.add_instance_fault_from_exc(context, instance, fault)
    objects.InstanceActionEvent.event_start(
        context, instance.uuid, EVENT, want_result=False, host=CONF.host)
    # Without a traceback it would be recorded as a success, without details.
    objects.InstanceActionEvent.event_finish_with_failure(
        context, instance.uuid, EVENT, exc_val=fault.format_message(),
        exc_tb='', want_result=False)
