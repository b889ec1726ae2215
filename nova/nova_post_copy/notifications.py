# SPDX-License-Identifier: Apache-2.0

"""The versioned notification of a post-copy migration that was interrupted.

``instance.live_migration_post_copy_recovery.start`` when the stream breaks,
``.end`` when it goes on, ``.error`` when the memory is lost for good. The
payload is upstream's ``InstanceActionPayload``.
"""

from nova import context as nova_context
from nova import exception
from nova.notifications.objects import base
from nova.notifications.objects import exception as exception_payload
from nova.notifications.objects import instance as upstream
from nova import objects
from nova.objects import base as objects_base
from nova.objects import fields
from nova import rpc

ACTION = 'live_migration_post_copy_recovery'


@objects_base.NovaObjectRegistry.register_notification
class PostCopyEventType(base.EventType):
    """Upstream's, whose list of actions is closed."""

    VERSION = '1.0'

    fields = {
        'action': fields.StringField(nullable=False),
    }


@objects_base.NovaObjectRegistry.register_notification
class PostCopyRecoveryNotification(base.NotificationBase):
    VERSION = '1.0'

    fields = {
        'event_type': fields.ObjectField('PostCopyEventType'),
        'payload': fields.ObjectField('InstanceActionPayload'),
    }


@rpc.if_notifications_enabled
def notify(context: nova_context.RequestContext, instance: objects.Instance,
           host: str, phase: str,
           exc: exception.NovaException | None = None) -> None:
    """Emit the notification.

    :param phase: one of ``NotificationPhase``: start, end or error
    :param exc: why, for the phases start and error
    """
    PostCopyRecoveryNotification(
        context=context,
        priority=(fields.NotificationPriority.ERROR if exc else
                  fields.NotificationPriority.INFO),
        publisher=base.NotificationPublisher(
            host=host, source=fields.NotificationSource.COMPUTE),
        event_type=PostCopyEventType(
            object='instance', action=ACTION, phase=phase),
        payload=upstream.InstanceActionPayload(
            context=context, instance=instance, fault=exc and _fault(exc)),
    ).emit(context)


def _fault(exc: exception.NovaException) -> exception_payload.ExceptionPayload:
    # Upstream's from_exception() wants one that was raised somewhere.
    return exception_payload.ExceptionPayload(
        module_name=__name__, function_name=ACTION,
        exception=type(exc).__name__, exception_message=exc.format_message(),
        traceback='')
