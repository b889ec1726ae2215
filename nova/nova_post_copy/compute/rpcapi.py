# SPDX-License-Identifier: Apache-2.0

"""Client side of the compute's RPC namespace ``post_copy``."""

import typing

from oslo_log import log as logging
import oslo_messaging as messaging

from nova.compute import rpcapi
import nova.conf
from nova import context as nova_context
from nova import exception
from nova.i18n import _
from nova import objects
from nova.objects import base as objects_base
from nova.objects.block_device import BlockDeviceMappingList
from nova import rpc

from nova_post_copy.decisions.condition import Condition

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

# Seconds to wait for a host's answer about a guest; callers ask again.
ANSWER_TIMEOUT_S = 5
# Seconds to wait for a host's answer about itself, while a user waits for the
# API. Its libvirt answers in milliseconds, unless it is stuck.
REFUSALS_TIMEOUT_S = 10
# How often to connect to RabbitMQ again, which has no limit in seconds.
RECONNECTS = 1


class PostCopyComputeAPI:
    """Ask a nova-compute about itself and about a guest.

    Questions raise nothing. Refusals are sentences for the user; an empty list
    means that the host can take part. A compute that cannot answer is a
    refusal too: an error would make upstream set the server to ERROR, although
    the server runs untouched.
    """

    def __init__(self) -> None:
        target = messaging.Target(
            topic=rpcapi.RPC_TOPIC, namespace='post_copy', version='1.0')
        # A router, because each cell has a message queue of its own.
        self._router = rpc.ClientRouter(rpc.get_client(
            target, serializer=objects_base.NovaObjectSerializer()))

    def source_refusals(
            self, context: nova_context.RequestContext, host: str,
            instance: objects.Instance, post_copy: bool) -> list[str]:
        """Ask why a host cannot send an instance as requested.

        :param post_copy: the value in the request
        """
        return self._ask(context, host, 'source_refusals', instance=instance,
                         post_copy=post_copy)

    def destination_refusals(
            self, context: nova_context.RequestContext,
            host: str) -> list[str]:
        """Ask why no instance can enter a host by post-copy."""
        return self._ask(context, host, 'destination_refusals')

    def recovery_address(self, context: nova_context.RequestContext,
                         host: str) -> str | None:
        """Ask a destination for its second address; None if it has none."""
        try:
            return self._try(context, host, 'recovery_address')
        except messaging.UnsupportedVersion:
            return None

    def guest_condition(
            self, context: nova_context.RequestContext, host: str,
            instance: objects.Instance) -> Condition | None:
        """Ask a host for the state of a guest.

        :returns: None when the host or its libvirt does not answer; UNKNOWN
            when nova-post-copy is not loaded there
        """
        try:
            answer = self._try(context, host, 'guest_condition',
                               instance=instance)
        except messaging.UnsupportedVersion:
            return Condition.UNKNOWN
        if answer not in list(Condition):
            # A value of a later release counts as no answer.
            return None
        return None if answer == Condition.UNKNOWN else Condition(answer)

    def break_incoming_stream(
            self, context: nova_context.RequestContext, host: str,
            instance: objects.Instance, source_addresses: list[str]) -> None:
        """Have a destination break the dead stream of a guest.

        :param source_addresses: IP addresses from which the source sends
        """
        try:
            self._try(context, host, 'break_incoming_stream', version='1.1',
                      instance=instance, source_addresses=source_addresses)
            return
        except messaging.UnsupportedVersion:
            pass
        try:
            self._try(context, host, 'break_incoming_stream',
                      instance=instance)
        except messaging.UnsupportedVersion:
            # The destination notices when TCP gives up.
            pass

    def recovery_limits(self, context: nova_context.RequestContext,
                        host: str) -> list[str]:
        """Ask a host why recovery may take longer there, in sentences.

        :returns: an empty list where nothing is known, too
        """
        try:
            return self._try(context, host, 'recovery_limits',
                             version='1.1') or []
        except messaging.UnsupportedVersion:
            return []

    def remove_volume_connections(
            self, context: nova_context.RequestContext, host: str,
            instance: objects.Instance,
            bdms: BlockDeviceMappingList) -> None:
        """Have a destination disconnect volumes that it has prepared.

        :param bdms: with the connections of that host
        :raises oslo_messaging.MessagingException,
            nova.exception.NovaException: it does not answer, or fails
        """
        client = self._router.client(context).prepare(
            server=host, timeout=CONF.long_rpc_timeout,
            call_monitor_timeout=REFUSALS_TIMEOUT_S, retry=RECONNECTS,
            version='1.1')
        try:
            client.call(context, 'remove_volume_connections',
                        instance=instance, bdms=bdms)
        except (messaging.UnsupportedVersion, messaging.RemoteError) as exc:
            if 'UnsupportedVersion' not in (
                    type(exc).__name__, getattr(exc, 'exc_type', None)):
                raise
            LOG.warning('Volumes may still be connected on %s, whose '
                        'nova-post-copy is older', host, instance=instance)

    def resume_refusal(self, context: nova_context.RequestContext,
                       host: str) -> str | None:
        """Ask a destination why no broken stream to it may be resumed.

        :returns: None where nothing is known, too
        """
        try:
            return self._try(context, host, 'resume_refusal', version='1.1')
        except messaging.UnsupportedVersion:
            return None

    def _try(self, context: nova_context.RequestContext, host: str,
             question: str, version: str = '1.0',
             **kwargs: typing.Any) -> typing.Any:
        client = self._router.client(context).prepare(
            server=host, timeout=ANSWER_TIMEOUT_S, retry=RECONNECTS,
            version=version)
        try:
            return client.call(context, question, **kwargs)
        except messaging.UnsupportedVersion:
            raise
        except (messaging.MessagingException, exception.NovaException) as exc:
            if getattr(exc, 'exc_type', None) == 'UnsupportedVersion':
                raise messaging.UnsupportedVersion(question)
            LOG.debug('%(host)s did not answer "%(question)s": %(error)s',
                      {'host': host, 'question': question, 'error': exc})
            return None

    def _ask(self, context: nova_context.RequestContext, host: str,
             question: str, **kwargs: typing.Any) -> list[str]:
        client = self._router.client(context).prepare(
            server=host, timeout=REFUSALS_TIMEOUT_S, retry=RECONNECTS)
        try:
            return client.call(context, question, **kwargs)
        except messaging.UnsupportedVersion:
            return [_un_extended()]
        except messaging.RemoteError as exc:
            if exc.exc_type == 'UnsupportedVersion':
                return [_un_extended()]
            return [_('its nova-compute failed to answer (%s)')
                    % exc.exc_type]
        except messaging.MessagingException:
            return [_('its nova-compute does not answer')]
        except exception.NovaException as exc:
            # Such as a libvirt that is down or does not know the server.
            return [exc.format_message()]


def _un_extended() -> str:
    return _('its nova-compute does not have nova-post-copy loaded')
