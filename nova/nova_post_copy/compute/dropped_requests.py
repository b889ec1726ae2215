# SPDX-License-Identifier: Apache-2.0

"""Give up requests that a conductor has begun to work on and dropped.

A conductor that dies leaves a server ``migrating`` for ever, whose source has
never heard of the request, or hears of it late.
"""

from collections.abc import Callable

from oslo_log import log as logging
from oslo_utils import timeutils

from nova.compute import manager as upstream
from nova import context as nova_context
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import reconcile
from nova_post_copy import exception
from nova_post_copy import instance_fault
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import requested
from nova_post_copy.objects.migration import Status

LOG = logging.getLogger(__name__)

# Seconds after which a request that nobody has touched is dropped: a conductor
# that works on it shows that more often.
DROPPED_AFTER_S = 180


def was_given_up(context: nova_context.RequestContext,
                 migration: objects.Migration) -> bool:
    """Tell whether a request that arrives was given up meanwhile."""
    fresh = objects.Migration.get_by_id(context, migration.id)
    if fresh.status not in FINAL:
        return False
    LOG.warning('A request for a live migration has come too late: it was '
                'given up', instance_uuid=migration.instance_uuid)
    return True


def give_up(manager: upstream.ComputeManager,
            context: nova_context.RequestContext,
            claim: Callable[[objects.Migration], bool]) -> None:
    """Give up the dropped requests for servers on this host.

    :param claim: whether nobody takes care of a migration, and nobody will
        from now on, should its request arrive after all
    """
    for migration in objects.MigrationList.get_by_filters(
            context, {'migration_type': 'live-migration',
                      'source_compute': manager.host,
                      'status': Status.ACCEPTED}):
        since = migration.updated_at or migration.created_at
        if (not requested(migration) or
                not timeutils.is_older_than(since, DROPPED_AFTER_S) or
                not claim(migration)):
            continue
        # It may have come and gone since the list was made.
        migration = objects.Migration.get_by_id(context, migration.id)
        if migration.status != Status.ACCEPTED:
            continue
        instance = objects.Instance.get_by_uuid(
            context, migration.instance_uuid,
            expected_attrs=reconcile.ATTRIBUTES)
        reconcile.roll_back(manager, context, instance, migration)
        instance_fault.add(context, instance, exception.PostCopyRolledBack(
            host=manager.host,
            dest=migration.dest_compute or _('another host'),
            reason=_('the request was lost on its way through nova-conductor')
        ))
