# SPDX-License-Identifier: Apache-2.0

"""Show that a conductor still works on a request.

nova-compute on the source gives up a request that nobody has touched for
minutes: its conductor must have died. One that waits for slow hosts has not.
"""

from collections.abc import Iterator
import contextlib
import copy
import threading

from oslo_log import log as logging
from oslo_utils import timeutils

from nova import context as nova_context
from nova import objects

from nova_post_copy import threads

LOG = logging.getLogger(__name__)

# Seconds between two signs. The source waits for several.
INTERVAL_S = 30.0


@contextlib.contextmanager
def shown(migration: objects.Migration) -> Iterator[None]:
    """Touch the record of a migration again and again meanwhile."""
    over = threading.Event()
    # As upstream hands a context to another thread: a copy for itself.
    threads.spawn(_show, copy.copy(migration._context), migration.id, over)
    try:
        yield
    finally:
        over.set()


def _show(context: nova_context.RequestContext, migration_id: int,
          over: threading.Event) -> None:
    while not over.wait(INTERVAL_S):
        try:
            migration = objects.Migration.get_by_id(context, migration_id)
            migration.updated_at = timeutils.utcnow()
            migration.save()
        except Exception as exc:
            # The database is away: the next sign may be seen.
            LOG.warning('The source of a live migration cannot see that it '
                        'is worked on: %s', exc)
