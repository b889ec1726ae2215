# SPDX-License-Identifier: Apache-2.0

"""What a migration by post-copy was like, in one sentence for its event."""

from nova.i18n import _

from nova_post_copy.virt.libvirt import job

_MIB = 1 << 20


def describe(reason: str, degraded: float | None,
             info: job.Statistics | None) -> str:
    """Say how long the server was degraded, and what it had to wait for.

    :param reason: why it was switched; empty when nova-compute was restarted
        since
    :param degraded: seconds from the switch until memory was complete; None
        when nova-compute was restarted since
    :param info: what libvirt told last; None: nothing
    """
    words = []
    if degraded is not None:
        words.append(_('The server was degraded for %.2f s.') % degraded)
    if reason:
        words.append(_('It was switched because: %s.') % reason)
    if info is not None:
        words.append(_('It had to wait for %(pages)d pages. In all '
                       '%(seconds).1f s, downtime %(downtime)d ms, moved '
                       '%(moved)d MiB.') % {
                           'pages': info.page_requests,
                           'seconds': info.elapsed,
                           'downtime': info.downtime * 1000,
                           'moved': info.memory_processed / _MIB})
    return ' '.join(words) or _('nova-compute was restarted meanwhile.')
