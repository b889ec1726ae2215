# SPDX-License-Identifier: Apache-2.0

"""Give Nova's slot for a live migration back while the migration is broken.

``[DEFAULT] max_concurrent_live_migrations`` (1 by default) limits how many
migrations load the network of a host. A migration whose stream is broken loads
nothing, but would keep its slot for as long as the network is away, and no
other server could leave the host. So the work is done in a thread of its own,
and the thread that stands for the slot only waits.
"""

from collections.abc import Callable
import threading

import futurist

from nova_post_copy import threads


class Slot:
    """The slot of one migration."""

    def __init__(self) -> None:
        self._free = threading.Event()
        #: what the slot was taken for; it may go on without the slot
        self.work: futurist.Future | None = None

    def occupy(self, work: Callable[[], None]) -> None:
        """Do the work; return when it is done or has given the slot back."""
        self.work = threads.spawn(work)
        self.work.add_done_callback(lambda _work: self.give_back())
        self._free.wait()

    def give_back(self) -> None:
        """Let the next migration begin. More than once does no harm."""
        self._free.set()
