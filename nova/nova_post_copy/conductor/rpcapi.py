# SPDX-License-Identifier: Apache-2.0

"""Client side of the conductor's RPC namespace ``post_copy``."""

import oslo_messaging as messaging

import nova.conf
from nova import context as nova_context
from nova import objects
from nova.objects import base as objects_base
from nova import rpc

from nova_post_copy import exception

CONF = nova.conf.CONF

# A topic of our own: on upstream's a cast can reach a conductor that does not
# have the namespace, and the server would be "migrating" for ever.
RPC_TOPIC = 'conductor_post_copy'
NAMESPACE = 'post_copy'


class PostCopyConductorAPI:
    """API version history:

    * 1.0 - ping() and live_migrate_instance()
    * 1.1 - finish_event()
    """

    def __init__(self) -> None:
        target = messaging.Target(
            topic=RPC_TOPIC, namespace=NAMESPACE, version='1.0')
        self.client = rpc.get_client(
            target, serializer=objects_base.NovaObjectSerializer())

    def ping(self, context: nova_context.RequestContext) -> None:
        """Make sure that a conductor serves the topic, at this moment.

        :raises PostCopyConductorUnavailable: none does
        """
        # The first option answers at once where nobody ever served the topic.
        # The queue outlives a conductor that is gone, hence the timeout.
        cctxt = self.client.prepare(
            transport_options=messaging.TransportOptions(at_least_once=True),
            timeout=CONF.post_copy.conductor_timeout)
        try:
            cctxt.call(context, 'ping')
        except (messaging.MessageUndeliverable, messaging.MessagingTimeout):
            raise exception.PostCopyConductorUnavailable(
                timeout=CONF.post_copy.conductor_timeout)

    def live_migrate_instance(
            self, context: nova_context.RequestContext,
            instance: objects.Instance, scheduler_hint: dict[str, str | None],
            block_migration: bool | str | None, disk_over_commit: bool | None,
            request_spec: objects.RequestSpec, post_copy: bool) -> None:
        """Hand the live migration to a conductor, without waiting for it.

        Always a cast: the microversion is far beyond the last one (2.33) at
        which the caller waited for the pre-checks.

        :param scheduler_hint: ``{'host': destination}``
        """
        self.client.prepare().cast(
            context, 'live_migrate_instance', instance=instance,
            scheduler_hint=scheduler_hint, block_migration=block_migration,
            disk_over_commit=disk_over_commit, request_spec=request_spec,
            post_copy=post_copy)

    def finish_event(
            self, context: nova_context.RequestContext, instance_uuid: str,
            event: str, details: str) -> None:
        """Finish an event of an instance action, with success and details.

        Upstream's objects give details to failures only.

        :raises oslo_messaging.MessagingException: no conductor that can did
        :raises oslo_messaging.MessageUndeliverable: there never was one
        :raises nova.exception.NovaException: there is no such event
        """
        cctxt = self.client.prepare(
            version='1.1', timeout=CONF.post_copy.conductor_timeout,
            transport_options=messaging.TransportOptions(at_least_once=True))
        cctxt.call(context, 'finish_event', instance_uuid=instance_uuid,
                   event=event, details=details)
