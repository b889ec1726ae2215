# SPDX-License-Identifier: Apache-2.0

"""Finish an event with success and with details.

Nova keeps the details of failures only. A conductor with nova-post-copy loaded
keeps those of a success as well.
"""

from oslo_log import log as logging
import oslo_messaging as messaging

from nova import context as nova_context
from nova import exception
from nova import objects

from nova_post_copy.conductor import rpcapi
from nova_post_copy import events

LOG = logging.getLogger(__name__)


def finish(context: nova_context.RequestContext, instance: objects.Instance,
           event: str, details: str) -> None:
    """Finish an event with success.

    :param details: logged, and kept if a conductor has nova-post-copy loaded
    """
    LOG.info(details, instance=instance)
    try:
        rpcapi.PostCopyConductorAPI().finish_event(
            context, instance.uuid, event, details)
    except (messaging.MessagingException, messaging.MessageUndeliverable,
            exception.NovaException) as exc:
        LOG.debug('The event %(event)s has no details: %(error)s',
                  {'event': event, 'error': exc}, instance=instance)
        events.finish(context, instance, event)
