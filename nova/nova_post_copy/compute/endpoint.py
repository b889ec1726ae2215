# SPDX-License-Identifier: Apache-2.0

"""What a nova-compute answers about itself: may it take part?

A trait in placement outlives the package that reported it, so the conductor
asks the hosts themselves before it moves anything.
"""

import oslo_messaging as messaging

import nova.conf
from nova import context as nova_context
from nova.i18n import _
from nova import objects
from nova.virt import driver as virt_driver

from nova_post_copy.compute import record

CONF = nova.conf.CONF


class PostCopyEndpoint:
    """Server side of :class:`nova_post_copy.compute.rpcapi`."""

    target = messaging.Target(namespace='post_copy', version='1.0')

    def __init__(self, driver: virt_driver.ComputeDriver) -> None:
        self.driver = driver

    def source_refusals(
            self, context: nova_context.RequestContext,
            instance: objects.Instance, post_copy: bool) -> list[str]:
        """Why this host cannot send the instance as the request says.

        :param post_copy: False: never by post-copy, which any host with our
            driver can see to
        """
        if not hasattr(self.driver, 'post_copy_source_refusals'):
            return [_other_driver()]
        if record.exists(instance.uuid):
            # A state that was reset says nothing about the guest.
            return [_('the live migration that it is in is not over')]
        if not post_copy:
            return []
        return self.driver.post_copy_source_refusals(instance)

    def destination_refusals(
            self, context: nova_context.RequestContext) -> list[str]:
        """Why no instance can enter this host by post-copy."""
        if not hasattr(self.driver, 'post_copy_destination_refusals'):
            return [_other_driver()]
        return self.driver.post_copy_destination_refusals()

    def recovery_address(
            self, context: nova_context.RequestContext) -> str | None:
        """The second address over which a migration to here is resumed."""
        return CONF.post_copy.recovery_addr

    def guest_condition(
            self, context: nova_context.RequestContext,
            instance: objects.Instance) -> str:
        """What this host's libvirt says of the guest.

        :returns: a value of
            :class:`nova_post_copy.decisions.condition.Condition`
        """
        return self.driver.post_copy_condition(instance).value

    def break_incoming_stream(
            self, context: nova_context.RequestContext,
            instance: objects.Instance) -> int:
        """Break the dead stream of a guest that comes in to this host.

        :returns: how many connections there were
        """
        return self.driver.break_incoming_stream(instance)


def _other_driver() -> str:
    return _('its compute_driver is not post_copy.LibvirtDriver')
