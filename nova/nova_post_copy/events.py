# SPDX-License-Identifier: Apache-2.0

"""Events that we add to the instance action of a live migration."""

import nova.conf
from nova import context as nova_context
from nova import objects

CONF = nova.conf.CONF

#: From the switch until memory is complete: the server is degraded.
DEGRADED = 'compute_live_migration_post_copy_degraded'
#: From the break of the stream until the migration resumes.
RECOVERY = 'compute_live_migration_post_copy_recovery'


def start(context: nova_context.RequestContext, instance: objects.Instance,
          event: str) -> None:
    """Start an event."""
    objects.InstanceActionEvent.event_start(
        context, instance.uuid, event, want_result=False, host=CONF.host)


def finish(context: nova_context.RequestContext, instance: objects.Instance,
           event: str) -> None:
    """Finish an event with success."""
    objects.InstanceActionEvent.event_finish(
        context, instance.uuid, event, want_result=False)


def fail(context: nova_context.RequestContext, instance: objects.Instance,
         event: str, details: str) -> None:
    """Finish an event with an error, of which Nova keeps 255 characters."""
    # Without a traceback it would be recorded as a success, without details.
    objects.InstanceActionEvent.event_finish_with_failure(
        context, instance.uuid, event, exc_val=details, exc_tb='',
        want_result=False)
