# SPDX-License-Identifier: Apache-2.0

"""Show that a conductor is still working on a request.

nova-compute on the source gives up a request that was not touched for minutes,
because its conductor must have died. A conductor that waits for slow hosts is
alive and keeps touching the request.
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
    """Touch the migration in the database repeatedly while the body runs."""
    over = threading.Event()
    # As upstream does for another thread: pass a copy of the context.
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
            # The database is unavailable: the next sign may get through.
            LOG.warning('Could not show the source of live migration %(id)s '
                        'that this conductor is still working on the '
                        'request: %(error)s',
                        {'id': migration_id, 'error': exc})
