# SPDX-License-Identifier: Apache-2.0

"""Join all of nova-post-copy to a process that holds all of Nova.

For the simulated cloud, and for unit tests and upstream's own.
"""

import functools

from nova.db import migration

from nova_post_copy import activate
from nova_post_copy.db import schema


def join() -> None:
    """Activate nova-post-copy in this process; call it once."""
    activate.join_everything()
    migration.db_sync = _and_our_column(migration.db_sync)


def _and_our_column(upstream):
    """Wrap ``db_sync``, by which upstream's fixtures build databases."""
    @functools.wraps(upstream)
    def db_sync(version=None, database='main', context=None):
        upstream(version, database, context)
        if database == 'main':
            schema.sync(context)

    return db_sync
