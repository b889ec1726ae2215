# SPDX-License-Identifier: Apache-2.0

"""The ways to move a server that the bench compares.

The lab has nova-post-copy loaded all the time. For a request that does not
say ``post_copy`` it hands the migration over to upstream's driver untouched,
so all but the last way are what they are without it.
"""

from collections.abc import Mapping
import dataclasses

from novaclient_post_copy import microversion

# What upstream's request is sent with; the highest of novaclient itself.
_UPSTREAM = '2.96'


@dataclasses.dataclass(frozen=True)
class Mode:
    """One way.

    :param title: for tables and pictures
    :param options: of ``[libvirt]`` in nova.conf, which the source needs;
        None: whatever is there
    :param limit: seconds after which a migration is aborted and counts as one
        that never ends; None: it does end
    :param forced: by ``force-complete``, as soon as the first pass is over
    :param bare: by virsh, without Nova
    """

    name: str
    title: str
    options: Mapping[str, object] | None = dataclasses.field(
        default_factory=dict)
    limit: float | None = None
    post_copy: bool = False
    forced: bool = False
    bare: bool = False

    @property
    def upstream(self) -> bool:
        """Whether users of Nova have it without nova-post-copy."""
        return not (self.post_copy or self.bare)

    @property
    def microversion(self) -> str:
        return (microversion.API_VERSION.get_string() if self.post_copy
                else _UPSTREAM)

    def body(self, destination: str) -> dict:
        """Return the body of the request."""
        return {'os-migrateLive': {
            'host': destination, 'block_migration': 'auto',
            **({'post_copy': True} if self.post_copy else {})}}


OURS = 'post_copy'

MODES = {mode.name: mode for mode in (
    Mode('pre-copy', 'pre-copy', limit=20.0),
    Mode('auto-converge', 'auto-converge', limit=60.0,
         options={'live_migration_permit_auto_converge': True}),
    Mode('force-complete', 'force-complete after a pass', forced=True,
         options={'live_migration_permit_post_copy': True}),
    Mode('virsh', 'virsh, post-copy after a pass', bare=True, options=None),
    Mode(OURS, 'post_copy: true (ours)', post_copy=True),
)}
