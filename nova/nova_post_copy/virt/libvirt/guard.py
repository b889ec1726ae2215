# SPDX-License-Identifier: Apache-2.0

"""Refuse operations that could start or destroy a copy of a migrating guest.

Nova does not request any of them while the server is ``migrating``. But an
operator can reset that state, and a peer without nova-post-copy can mistake a
broken post-copy migration for a failed one.
"""

from collections.abc import Callable
import typing

from nova import exception as nova_exception
from nova import objects
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.compute import record
from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception
from nova_post_copy.objects.migration import requested_by
from nova_post_copy.virt.libvirt import domain

# The guest may run on the other host; its memory here must not be touched.
_ELSEWHERE = (Condition.MIGRATING, Condition.POST_COPY, Condition.BROKEN)
# The guest runs here.
_LIVE = (Condition.RUNNING, Condition.POST_COPY, Condition.BROKEN)


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

    pause = _guarded('pause')
    power_off = _guarded('power_off')
    power_on = _guarded('power_on')
    reboot = _guarded('reboot')
    rescue = _guarded('rescue')
    resume = _guarded('resume')
    resume_state_on_host_boot = _guarded('resume_state_on_host_boot')
    suspend = _guarded('suspend')
    unpause = _guarded('unpause')

    def _refuse_if_elsewhere(self, instance: objects.Instance) -> None:
        """Refuse to touch a guest that has left this host.

        :raises PostCopyElsewhere: the guest has left
        """
        if not record.exists(instance.uuid):
            return
        found = domain.ask(self._host, instance)
        if found in _ELSEWHERE or found in condition.GONE:
            raise exception.PostCopyElsewhere(
                instance_uuid=instance.uuid, found=found.value)

    def rollback_live_migration_at_destination(
            self, context, instance, network_info, block_device_info,
            destroy_disks=True, migrate_data=None) -> None:
        """Clean up after a failed migration, unless the guest runs here.

        :raises PostCopyLiveCopy: the guest runs on this host
        :raises HypervisorUnavailable: libvirt does not answer; upstream would
            delete the disks anyway
        """
        if requested_by(migrate_data):
            found = domain.ask(self._host, instance)
            if found is Condition.UNKNOWN:
                raise nova_exception.HypervisorUnavailable()
            if found in _LIVE:
                raise exception.PostCopyLiveCopy(
                    instance_uuid=instance.uuid, found=found.value)
        # A type checker does not know what this class goes before.
        super().rollback_live_migration_at_destination(  # type: ignore[misc]
            context, instance, network_info, block_device_info,
            destroy_disks, migrate_data)
