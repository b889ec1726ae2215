# SPDX-License-Identifier: Apache-2.0

"""Server side of the compute's RPC namespace ``post_copy``.

A trait in placement outlives the package that reported it, so the API and the
conductor ask the hosts themselves before anything is moved.
"""

import oslo_messaging as messaging

import nova.conf
from nova import context as nova_context
from nova.i18n import _
from nova import objects
from nova.virt import block_device
from nova.virt import driver as virt_driver
from nova.volume import cinder

from nova_post_copy.compute import prepared
from nova_post_copy.compute import record

CONF = nova.conf.CONF


class PostCopyEndpoint:
    """Answers :class:`.rpcapi.PostCopyComputeAPI`.

    Version history:

    * 1.0 - Initial version
    * 1.1 - Add source_addresses to break_incoming_stream; add
      recovery_limits, resume_refusal and remove_volume_connections
    """

    target = messaging.Target(namespace='post_copy', version='1.1')

    def __init__(self, driver: virt_driver.ComputeDriver) -> None:
        self.driver = driver
        self.volume_api = cinder.API()

    def source_refusals(
            self, context: nova_context.RequestContext,
            instance: objects.Instance, post_copy: bool) -> list[str]:
        """Return why this host cannot send the instance as requested.

        :param post_copy: the value in the request; False rules post-copy out,
            which every host with our driver can do
        :returns: refusals for the user; empty if the host can
        """
        if not hasattr(self.driver, 'post_copy_source_refusals'):
            return [_other_driver()]
        if record.exists(instance.uuid):
            # Resetting the state does not stop the migration.
            return [_('the last live migration of the server has not '
                      'finished')]
        if not post_copy:
            return []
        return self.driver.post_copy_source_refusals(instance)

    def destination_refusals(
            self, context: nova_context.RequestContext) -> list[str]:
        """Return why no instance can enter this host by post-copy."""
        if not hasattr(self.driver, 'post_copy_destination_refusals'):
            return [_other_driver()]
        return self.driver.post_copy_destination_refusals()

    def recovery_address(
            self, context: nova_context.RequestContext) -> str | None:
        """Return the second address for resuming migrations to this host."""
        return CONF.post_copy.recovery_addr

    def guest_condition(
            self, context: nova_context.RequestContext,
            instance: objects.Instance) -> str:
        """Return the state of the guest, as this host's libvirt reports it.

        :returns: a value of
            :class:`nova_post_copy.decisions.condition.Condition`
        """
        return self.driver.post_copy_condition(instance).value

    def break_incoming_stream(
            self, context: nova_context.RequestContext,
            instance: objects.Instance,
            source_addresses: list[str] | None = None) -> int:
        """Break the dead stream of a guest that is migrating to this host.

        :param source_addresses: IP addresses of the source; None: an older
            source, which does not tell them
        :returns: how many connections were ended
        """
        return self.driver.break_incoming_stream(instance, source_addresses)

    def recovery_limits(
            self, context: nova_context.RequestContext) -> list[str]:
        """Return why recovery may take longer on this host, in sentences."""
        if not hasattr(self.driver, 'post_copy_recovery_limits'):
            return []
        return self.driver.post_copy_recovery_limits()

    def remove_volume_connections(
            self, context: nova_context.RequestContext,
            instance: objects.Instance,
            bdms: objects.BlockDeviceMappingList) -> None:
        """Disconnect volumes that were prepared for a guest that did not come.

        When it returns, nothing is being prepared any more.

        :param bdms: with the connections of this host; Nova's database has
            those of the source again
        :raises nova_post_copy.exception.PostCopyLiveCopy: it has come
        """
        with prepared.alone(instance.uuid):
            self.driver.check_not_arrived(instance)
            for bdm in bdms:
                block_device.convert_volume(bdm).driver_detach(
                    context, instance, self.volume_api, self.driver)

    def resume_refusal(
            self, context: nova_context.RequestContext) -> str | None:
        """Return why no broken stream to this host may be resumed."""
        if not hasattr(self.driver, 'post_copy_resume_refusal'):
            return None
        return self.driver.post_copy_resume_refusal()


def _other_driver() -> str:
    return _('its compute_driver is not post_copy.LibvirtDriver')
