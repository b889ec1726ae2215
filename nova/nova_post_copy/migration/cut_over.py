# SPDX-License-Identifier: Apache-2.0

"""Have the network follow a guest that has left by post-copy.

The guest is degraded for seconds or minutes, and needs its network meanwhile.
But libvirt's call that switches proves nothing: if the network fails at that
moment, libvirt may give up and let the guest go on at the source. So the
destination's port bindings are activated only once the source's domain shows
that the guest has left.
"""

import time

import futurist

from nova_post_copy.migration.link import Link

# Seconds between two attempts while neutron does not answer.
RETRY_INTERVAL_S = 5.0


class CutOver:
    """The cut-over of one guest's network."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._attempt: futurist.Future | None = None
        self._attempted = 0.0

    def follow(self) -> None:
        """Activate the bindings of a guest that has left, until it is done."""
        now = time.monotonic()
        if self._attempt is not None and (
                now - self._attempted < RETRY_INTERVAL_S or
                not self._attempt.done() or self._attempt.result()):
            return
        self._attempted = now
        self._attempt = self._link.cut_over_network()

    def finish(self) -> None:
        """Wait for a running attempt.

        What ends the migration then finds the bindings as they stay.
        """
        if self._attempt is not None:
            self._attempt.result()
