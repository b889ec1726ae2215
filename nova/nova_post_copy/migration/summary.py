# SPDX-License-Identifier: Apache-2.0

"""Summarize a migration by post-copy for the details of its event."""

import time

from nova.i18n import _

from nova_post_copy.virt.libvirt import job

_MIB = 1 << 20


class Summary:
    """Collects the figures of one migration."""

    def __init__(self) -> None:
        self._reason = ''
        self._switched_at: float | None = None
        # The same as seconds of libvirt's job; None: no longer comparable.
        self._switched_after: float | None = None
        self._info: job.Statistics | None = None
        self._seen_at = 0.0     # when that was

    def saw(self, info: job.Statistics) -> None:
        """Keep the current statistics of the job."""
        self._info, self._seen_at = info, time.monotonic()

    def switched(self, reason: str) -> None:
        """Keep why and when the migration was switched, which is now."""
        self._reason = reason
        self._switched_at = time.monotonic()
        if self._info is not None:
            self._switched_after = (
                self._info.elapsed + self._switched_at - self._seen_at)

    def interrupted(self) -> None:
        """Note that libvirt's counters have restarted."""
        self._switched_after = None

    def figures(self, completed: job.Statistics | None) -> str:
        """Return the summary of a migration that was switched.

        :param completed: libvirt's statistics of the whole migration
        """
        degraded = None
        if completed is not None and self._switched_after is not None:
            # What libvirt does after the last page does not count.
            degraded = completed.elapsed - self._switched_after
        elif self._switched_at is not None:
            degraded = time.monotonic() - self._switched_at
        return describe(self._reason, degraded,
                        self._info if completed is None else completed)


def describe(reason: str, degraded: float | None,
             info: job.Statistics | None) -> str:
    """Return how long the server was degraded, why, and what was moved.

    :param reason: why the migration was switched; empty when nova-compute was
        restarted since
    :param degraded: seconds from the switch until memory was complete; None
        when nova-compute was restarted since
    :param info: libvirt's last statistics; None: there are none
    """
    words = []
    if degraded is not None:
        words.append(_('The server was degraded for %.2f s.') % degraded)
    if reason:
        words.append(_('Reason for the switch: %s.') % reason)
    if info is not None:
        words.append(_('Pages fetched on demand: %(pages)d. Total '
                       '%(seconds).1f s, downtime %(downtime)d ms, '
                       '%(moved)d MiB moved.') % {
                           'pages': info.page_requests,
                           'seconds': info.elapsed,
                           'downtime': info.downtime * 1000,
                           'moved': info.memory_processed / _MIB})
    return ' '.join(words) or _(
        'nova-compute was restarted during the migration.')
