# SPDX-License-Identifier: Apache-2.0

"""Tell whether a request still suits its server when it reaches the source.

The API and the conductor have asked before, but the request may have waited in
a queue for as long as nova-compute was down.
"""

from nova.compute import task_states
from nova import context as nova_context
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import record
from nova_post_copy.compute import states
from nova_post_copy import exception
from nova_post_copy.objects.migration import other_unfinished

# Task states with which a request may arrive: a reset leaves none.
_TASK_STATES = (task_states.MIGRATING, None)


def refusal(context: nova_context.RequestContext, host: str,
            instance: objects.Instance,
            migration: objects.Migration) -> str | None:
    """Return why a request is not carried out any more; None: it is.

    :param host: this host
    :param instance: as it is in the database now
    """
    if instance.host != host:
        return _('the server has left its host since the request was '
                 'accepted: it is on %s') % instance.host
    if (instance.vm_state not in states.MOVABLE or
            instance.task_state not in _TASK_STATES):
        return _(
            'the server has changed since the request was accepted: its state '
            'is "%(vm_state)s", its task state "%(task_state)s"') % {
                'vm_state': instance.vm_state,
                'task_state': instance.task_state}
    if record.exists(instance.uuid):
        return _('the last live migration of the server has not finished')
    other = other_unfinished(
        context, instance.uuid, host, besides=migration.id)
    if other is not None:
        return exception.PostCopyOtherMigration(
            migration_id=other.id, status=other.status).format_message()
    return None
