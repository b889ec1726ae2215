# SPDX-License-Identifier: Apache-2.0

"""Thread pool for work that runs alongside a live migration.

Upstream's default pool of ten threads is not enough: libvirt's calls occupy
its threads for as long as a migration takes, and the work that ends a
migration must not queue behind them.
"""

import enum
import functools

from nova import thread_pool_factory


class Pool(enum.Enum):
    """Name of our pool among the executors of the process."""

    POST_COPY = 'post_copy'


def size() -> int:
    """Return the maximum number of threads; they are started when needed.

    On its source each migration needs one for its report, its question to the
    destination, its resume, and its monitor after a restart. The rest is for
    records of former processes. In a conductor each migration needs one, until
    its destination is chosen.
    """
    return 16 + 4 * thread_pool_factory.get_max_concurrent_live_migrations()


#: Start a function in a thread; returns its future.
spawn = functools.partial(thread_pool_factory.spawn_on, Pool.POST_COPY)
