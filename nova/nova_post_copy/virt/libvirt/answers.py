# SPDX-License-Identifier: Apache-2.0

"""Answer nova-compute's questions about this host and its guests."""

import typing

from oslo_log import log as logging
from oslo_utils import units

from nova.compute import provider_tree as upstream_provider_tree
import nova.conf
from nova import objects
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import threads
from nova_post_copy import traits
from nova_post_copy.virt.libvirt import capability
from nova_post_copy.virt.libvirt import dirty_rate
from nova_post_copy.virt.libvirt import domain
from nova_post_copy.virt.libvirt import incoming
from nova_post_copy.virt.libvirt import recovery_limits

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Conditions of a guest whose memory is on the way, to this host or from it.
_HAS_STREAM = (Condition.MIGRATING, Condition.POST_COPY, Condition.BROKEN)


class Answers:
    """Mix-in in front of upstream's libvirt driver."""

    _host: libvirt_host.Host
    _post_copy_refusals: list[str] | None = None

    # This host

    def init_host(self, host: str) -> None:
        super().init_host(host)  # type: ignore[misc]
        self.post_copy_destination_refusals()
        for limit in self.post_copy_recovery_limits():
            LOG.warning('Recovery of broken post-copy migrations is limited: '
                        '%s', limit)

    def update_provider_tree(
            self, provider_tree: upstream_provider_tree.ProviderTree,
            nodename: str, allocations: dict[str, typing.Any] | None = None,
    ) -> None:
        super().update_provider_tree(  # type: ignore[misc]
            provider_tree, nodename, allocations)
        if self.post_copy_destination_refusals():
            provider_tree.remove_traits(nodename, traits.POST_COPY)
        else:
            provider_tree.add_traits(nodename, traits.POST_COPY)

    def post_copy_recovery_limits(self) -> list[str]:
        """Say why recovery may take longer on this host."""
        return recovery_limits.find() + capability.recovery_limits(self._host)

    def post_copy_resume_refusal(self) -> str | None:
        """Say why no broken stream to this host may be resumed."""
        return capability.resume_refusal(self._host)

    # Sources and destinations

    def post_copy_source_refusals(
            self, instance: objects.Instance) -> list[str]:
        """Say why an instance cannot leave this host by post-copy.

        If it can, start measuring its dirty rate.

        :raises nova.exception.InstanceNotFound: it is not on this host
        """
        guest = self._host.get_guest(instance)
        refusals = (capability.source_refusals(self._host) +
                    capability.guest_refusals(guest.get_xml_desc()))
        if not refusals:
            # The caller need not wait until QEMU has begun.
            threads.spawn(dirty_rate.begin, guest, dirty_rate.seconds(
                memory=instance.flavor.memory_mb * units.Mi,
                bandwidth=CONF.libvirt.live_migration_bandwidth * units.Mi))
        return refusals

    def post_copy_destination_refusals(self) -> list[str]:
        """Say why no instance can enter this host by post-copy.

        Checked at each call: an operator may have set the sysctl since.
        """
        refusals = capability.destination_refusals(self._host)
        if refusals != self._post_copy_refusals:
            self._post_copy_refusals = refusals
            if refusals:
                LOG.warning('This host cannot be a destination of post-copy '
                            'live migrations: %s', '; '.join(refusals))
            else:
                LOG.info('This host can be the destination of post-copy live '
                         'migrations')
        return refusals

    # State of the guests

    def post_copy_condition(self, instance: objects.Instance) -> Condition:
        """Return the state of a guest, as libvirt on this host reports it."""
        return domain.ask(self._host, instance)

    def end_shut_down(self, instance: objects.Instance) -> None:
        """End the QEMU of a guest that has shut itself down.

        If it did while its stream was broken, QEMU hangs in its exit.
        """
        guest = self._host.get_guest(instance)
        if domain.ask_guest(guest) is Condition.SHUTTING_DOWN:
            guest.poweroff()

    def break_incoming_stream(
            self, instance: objects.Instance,
            source_addresses: list[str] | None = None) -> int:
        """Break the dead stream of a guest that migrates to this host.

        Only if the guest runs here, and libvirt here may be asked to resume:
        otherwise, the stream could not be resumed.

        :param source_addresses: IP addresses of the source; None: an older
            source, which does not tell them
        """
        if (self.post_copy_condition(instance) not in condition.STARTED or
                self.post_copy_resume_refusal() is not None):
            return 0
        others = [guest.uuid for guest in self._host.list_guests()
                  if guest.uuid != instance.uuid
                  and domain.ask_guest(guest) in _HAS_STREAM]
        return incoming.break_dead(instance.uuid, source_addresses, others)

    def post_copy_broken_guests(self) -> list[str]:
        """Return the uuids of guests whose post-copy stream is broken."""
        return [guest.uuid for guest in self._host.list_guests()
                if domain.ask_guest(guest) is Condition.BROKEN]
