# SPDX-License-Identifier: Apache-2.0

"""Versioned notification of an interrupted post-copy migration.

``instance.live_migration_post_copy_recovery.start`` when the stream breaks,
``.progress`` when the other host has not answered for a minute, ``.end`` when
the migration resumes, ``.error`` when the memory is lost. The payload is
upstream's ``InstanceActionPayload``.
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
    """Event type with our action, which upstream's enum does not accept."""

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

    :param host: of this nova-compute, the publisher
    :param phase: one of ``NotificationPhase``
    :param exc: the reason, for all phases but end
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
    # Upstream's from_exception() needs the traceback of a raised exception.
    return exception_payload.ExceptionPayload(
        module_name=__name__, function_name=ACTION,
        exception=type(exc).__name__, exception_message=exc.format_message(),
        traceback='')
