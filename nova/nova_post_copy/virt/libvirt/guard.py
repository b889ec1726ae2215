# SPDX-License-Identifier: Apache-2.0

"""Refuse operations that could start or destroy a copy of a migrating guest.

Nova does not request any of them while the server is ``migrating``. But an
operator can reset that state, and a peer can mistake a broken post-copy
migration for a failed one.
"""

from collections.abc import Callable
import os
import typing

from oslo_serialization import jsonutils

import nova.conf
from nova import context as nova_context
from nova import exception as nova_exception
from nova.network import model as network_model
from nova import objects
from nova.virt import block_device
from nova.virt.libvirt import host as libvirt_host
from nova.virt.libvirt import utils as libvirt_utils

from nova_post_copy.compute import record
from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception
from nova_post_copy.virt.libvirt import domain

CONF = nova.conf.CONF

# The guest may run on the other host; its memory here must not be touched.
_ELSEWHERE = (Condition.MIGRATING, Condition.POST_COPY, Condition.BROKEN,
              Condition.SHUTTING_DOWN)
# On the destination: nothing has arrived that could be the only copy. Any
# other condition is that of a guest which has, whatever it does now.
_NOT_ARRIVED = (Condition.ABSENT, Condition.MIGRATING, Condition.SHUTOFF,
                Condition.MIGRATED)


def _guarded(name: str) -> Callable[..., typing.Any]:
    """Return a driver method that is refused for a guest that has left."""

    def method(self, *args, **kwargs):
        instance = next(argument for argument in (*args, *kwargs.values())
                        if isinstance(argument, objects.Instance))
        self._refuse_if_elsewhere(instance)
        return getattr(super(Guard, self), name)(*args, **kwargs)

    method.__name__ = name
    return method


class Guard:
    """Mixin that comes before upstream's libvirt driver in the MRO."""

    _host: libvirt_host.Host

    attach_interface = _guarded('attach_interface')
    attach_volume = _guarded('attach_volume')
    detach_interface = _guarded('detach_interface')
    detach_volume = _guarded('detach_volume')
    migrate_disk_and_power_off = _guarded('migrate_disk_and_power_off')
    pause = _guarded('pause')
    power_off = _guarded('power_off')
    power_on = _guarded('power_on')
    reboot = _guarded('reboot')
    rescue = _guarded('rescue')
    resume = _guarded('resume')
    resume_state_on_host_boot = _guarded('resume_state_on_host_boot')
    spawn = _guarded('spawn')
    suspend = _guarded('suspend')
    unpause = _guarded('unpause')
    unrescue = _guarded('unrescue')

    def extend_volume(self, context, connection_info, instance,
                      requested_size):
        """Extend a volume, if the connection to it is this host's.

        :raises PostCopyElsewhere: the guest has left
        :raises PostCopyOtherConnection: the connection is the destination's
        """
        self._refuse_if_elsewhere(instance)
        if not _is_own(connection_info, instance):
            raise exception.PostCopyOtherConnection(
                volume_id=block_device.get_volume_id(connection_info),
                instance_uuid=instance.uuid)
        return super().extend_volume(  # type: ignore[misc]
            context, connection_info, instance, requested_size)

    def destroy(self, context, instance, *args, **kwargs):
        """Destroy a guest, unless it has left for where Nova will record it.

        What an evacuated server has left here is destroyed when nova-compute
        starts, which must not fail.
        """
        if instance.host == CONF.host:
            self._refuse_if_elsewhere(instance)
        return super().destroy(  # type: ignore[misc]
            context, instance, *args, **kwargs)

    def _refuse_if_elsewhere(self, instance: objects.Instance) -> None:
        """Refuse to touch a guest that has left this host.

        :raises PostCopyElsewhere: the guest has left
        """
        if not record.exists(instance.uuid):
            return
        outcome = _outcome(instance)
        if outcome == record.Outcome.ROLLED_BACK:
            return
        found = domain.ask(self._host, instance)
        if outcome == record.Outcome.ARRIVED and (
                instance.host == CONF.host or found is Condition.ABSENT):
            # It has come back, or is about to, by another way.
            return
        if found in _ELSEWHERE or found in condition.GONE:
            raise exception.PostCopyElsewhere(
                instance_uuid=instance.uuid, found=found.value)

    def check_not_arrived(self, instance: objects.Instance) -> None:
        """Check that a guest has not arrived on this host.

        :raises PostCopyLiveCopy: it has
        :raises HypervisorUnavailable: libvirt does not answer; upstream would
            delete the disks anyway
        """
        found = domain.ask(self._host, instance)
        if found is Condition.UNKNOWN:
            raise nova_exception.HypervisorUnavailable()
        if found not in _NOT_ARRIVED:
            raise exception.PostCopyLiveCopy(
                instance_uuid=instance.uuid, found=found.value)

    def has_directory(self, instance: objects.Instance) -> bool:
        """Tell whether this host has a directory for the instance's disks."""
        return os.path.exists(libvirt_utils.get_instance_path(instance))

    # A type checker does not know what this class goes before.

    def rollback_live_migration_at_destination(
            self, context, instance, network_info, block_device_info,
            destroy_disks=True, migrate_data=None) -> None:
        """Clean up after a failed migration, unless the guest has arrived.

        Whatever the request said: it may be another one than that by which
        the guest has arrived.

        :raises PostCopyLiveCopy, HypervisorUnavailable: nothing was cleaned
            up
        """
        self.check_not_arrived(instance)
        super().rollback_live_migration_at_destination(  # type: ignore[misc]
            context, instance, network_info, block_device_info,
            destroy_disks, migrate_data)

    def remove_leftover(
            self, context: nova_context.RequestContext,
            instance: objects.Instance,
            network_info: network_model.NetworkInfo,
            block_device_info: dict[str, typing.Any], destroy_disks: bool,
            migrate_data: objects.LibvirtLiveMigrateData) -> None:
        """Remove what a guest that has left has left here.

        The one destruction that the guard does not refuse.

        :param destroy_disks, migrate_data: decide together what is removed,
            as in upstream's ``cleanup``
        """
        self._destroy(instance)  # type: ignore[attr-defined]
        self.cleanup(  # type: ignore[attr-defined]
            context, instance, network_info, block_device_info,
            destroy_disks=destroy_disks, migrate_data=migrate_data)


def _outcome(instance: objects.Instance) -> str | None:
    """Return how the migration has ended, although there is a record yet."""
    try:
        kept = record.load(instance.uuid)
    except (record.Damaged, record.Unreadable):
        return None
    return record.Outcome.ROLLED_BACK if kept is None else kept.outcome


def _is_own(connection_info: dict[str, typing.Any],
            instance: objects.Instance) -> bool:
    """Tell whether a connection to a volume is that of this host.

    From the first step of a migration until all is compared after its end,
    the block device mapping may have that of the destination.
    """
    try:
        kept = record.load(instance.uuid)
    except (record.Damaged, record.Unreadable):
        return False
    if kept is None:
        return True
    return any(bdm.is_volume and bdm.connection_info is not None and
               jsonutils.loads(bdm.connection_info) == connection_info
               for bdm in kept.source_bdms or ())
