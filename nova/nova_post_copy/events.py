# SPDX-License-Identifier: Apache-2.0

"""The events of an instance action that we add to a live migration."""

from oslo_log import log as logging
import oslo_messaging as messaging

import nova.conf
from nova import context as nova_context
from nova import exception
from nova import objects

from nova_post_copy.conductor import rpcapi

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

#: From the switch until memory is complete: the server is degraded.
DEGRADED = 'compute_live_migration_post_copy_degraded'
#: From the break of the stream until it goes on.
RECOVERY = 'compute_live_migration_post_copy_recovery'


def start(context: nova_context.RequestContext, instance: objects.Instance,
          event: str) -> None:
    objects.InstanceActionEvent.event_start(
        context, instance.uuid, event, want_result=False, host=CONF.host)


def finish(context: nova_context.RequestContext, instance: objects.Instance,
           event: str, details: str | None = None) -> None:
    """Finish an event with success.

    :param details: kept where a conductor has nova-post-copy
    """
    if details is not None:
        LOG.info(details, instance=instance)
        try:
            rpcapi.PostCopyConductorAPI().finish_event(
                context, instance.uuid, event, details)
            return
        except (messaging.MessagingException, messaging.MessageUndeliverable,
                exception.NovaException) as exc:
            LOG.debug('The event %(event)s has no details: %(error)s',
                      {'event': event, 'error': exc}, instance=instance)
    objects.InstanceActionEvent.event_finish(
        context, instance.uuid, event, want_result=False)


def fail(context: nova_context.RequestContext, instance: objects.Instance,
         event: str, details: str) -> None:
    """Finish an event with an error, of which Nova keeps 255 characters."""
    # Without a traceback it would be recorded as a success, without details.
    objects.InstanceActionEvent.event_finish_with_failure(
        context, instance.uuid, event, exc_val=details, exc_tb='',
        want_result=False)
