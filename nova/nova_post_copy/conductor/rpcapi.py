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

# A topic of our own: on upstream's topic a cast can reach a conductor without
# the namespace, and the server would stay in task state "migrating" for ever.
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
        """Check that a conductor serves the topic right now.

        :raises PostCopyConductorUnavailable: none does
        """
        # at_least_once fails immediately if no conductor ever served the
        # topic. The queue outlives its conductors, hence the timeout.
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
        """Cast the live migration to a conductor.

        Always a cast: callers waited for the pre-checks only up to
        microversion 2.33.

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

        Upstream's object records details for failures only.

        :raises oslo_messaging.MessagingException: no conductor with this
            version answered
        :raises oslo_messaging.MessageUndeliverable: no conductor ever served
            the topic
        :raises nova.exception.NovaException: the event does not exist
        """
        cctxt = self.client.prepare(
            version='1.1', timeout=CONF.post_copy.conductor_timeout,
            transport_options=messaging.TransportOptions(at_least_once=True))
        cctxt.call(context, 'finish_event', instance_uuid=instance_uuid,
                   event=event, details=details)
