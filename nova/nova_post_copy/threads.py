# SPDX-License-Identifier: Apache-2.0

"""Threads for what goes on beside a live migration.

Upstream's default pool, of ten threads, is not enough: libvirt's calls sit in
it for as long as a migration takes, and what ends the migration must not wait
behind them.
"""

import enum
import functools

from nova import thread_pool_factory


class Pool(enum.Enum):
    """Ours among the executors of the process."""

    POST_COPY = 'post_copy'


def size() -> int:
    """How many threads there may be; they are started when needed.

    Of each migration on its source: its report, its question to the
    destination, its resume, and its watcher after a restart. Records of former
    processes come on top. In a conductor each needs one, while a destination
    is looked for.
    """
    return 16 + 4 * thread_pool_factory.get_max_concurrent_live_migrations()


#: Start a function in a thread; returns its future.
spawn = functools.partial(thread_pool_factory.spawn_on, Pool.POST_COPY)
