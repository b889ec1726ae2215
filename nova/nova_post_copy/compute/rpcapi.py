# SPDX-License-Identifier: Apache-2.0

"""Ask a nova-compute about post-copy: whether it may take part, and how a
guest is that is on its way to it."""

import typing

from oslo_log import log as logging
import oslo_messaging as messaging

from nova.compute import rpcapi
from nova import context as nova_context
from nova import exception
from nova.i18n import _
from nova import objects
from nova.objects import base as objects_base
from nova import rpc

from nova_post_copy.decisions.condition import Condition

LOG = logging.getLogger(__name__)

# Seconds that a host may take to say how a guest is: the caller asks again.
ANSWER_TIMEOUT_S = 5


class PostCopyComputeAPI:
    """Client side of the compute's own namespace.

    Nothing is raised. Refusals are sentences that say why not, an empty
    list when there is nothing against it. A compute that cannot answer is a
    reason, too: an error would make upstream set the server to ERROR, where it
    runs untouched.
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
        """Ask about a request that says true or false."""
        return self._ask(context, host, 'source_refusals', instance=instance,
                         post_copy=post_copy)

    def destination_refusals(
            self, context: nova_context.RequestContext,
            host: str) -> list[str]:
        return self._ask(context, host, 'destination_refusals')

    def recovery_address(self, context: nova_context.RequestContext,
                         host: str) -> str | None:
        """Ask a destination for its second address; None: it has none."""
        try:
            return self._try(context, host, 'recovery_address')
        except messaging.UnsupportedVersion:
            return None

    def guest_condition(
            self, context: nova_context.RequestContext, host: str,
            instance: objects.Instance) -> Condition | None:
        """Ask how a guest is.

        :returns: None when the host does not answer or its libvirt does not;
            UNKNOWN when it is one that cannot say, without nova-post-copy
        """
        try:
            answer = self._try(context, host, 'guest_condition',
                               instance=instance)
        except messaging.UnsupportedVersion:
            return Condition.UNKNOWN
        if answer not in list(Condition):
            # A word of a later release says no more than none.
            return None
        return None if answer == Condition.UNKNOWN else Condition(answer)

    def break_incoming_stream(
            self, context: nova_context.RequestContext, host: str,
            instance: objects.Instance) -> None:
        """Let a destination notice that the stream of a guest is dead."""
        try:
            self._try(context, host, 'break_incoming_stream',
                      instance=instance)
        except messaging.UnsupportedVersion:
            # TCP will tell it some time.
            pass

    def _try(self, context: nova_context.RequestContext, host: str,
             question: str, **kwargs: typing.Any) -> str | None:
        client = self._router.client(context).prepare(
            server=host, timeout=ANSWER_TIMEOUT_S)
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
        client = self._router.client(context).prepare(server=host)
        try:
            return client.call(context, question, **kwargs)
        except messaging.UnsupportedVersion:
            return [_un_extended()]
        except messaging.RemoteError as exc:
            if exc.exc_type == 'UnsupportedVersion':
                return [_un_extended()]
            return [_('its nova-compute failed to answer (%s)')
                    % exc.exc_type]
        except messaging.MessagingTimeout:
            return [_('its nova-compute does not answer')]
        except exception.NovaException as exc:
            # Such as a libvirt that is down, or does not know the server.
            return [exc.format_message()]


def _un_extended() -> str:
    return _('its nova-compute does not have nova-post-copy loaded')
