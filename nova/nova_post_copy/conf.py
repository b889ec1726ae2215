# SPDX-License-Identifier: Apache-2.0

"""The options that an operator sets in ``nova.conf``."""

from oslo_config import cfg
from oslo_config import types

import nova.conf

CONF = nova.conf.CONF

post_copy_group = cfg.OptGroup(
    'post_copy',
    title='Per-request post-copy live migration',
    help='Options of the nova-post-copy add-on.')

opts = [
    cfg.BoolOpt(
        'allowed',
        default=True,
        help="""
Whether servers may leave or enter this compute host by post-copy.

During the post-copy phase a server runs on the destination while part of its
memory is still on the source: if either host or the network between them dies
for good in these seconds, the server is lost. Set this to ``False`` on hosts
where you do not want to take that risk; a request with ``"post_copy": true``
is then refused for servers on this host, and this host is not chosen as a
destination.

Read by nova-compute only.
"""),
    cfg.BoolOpt(
        'vhost_user',
        default=False,
        help="""
Whether every vhost-user back end of this host (DPDK ports of Open vSwitch, for
example, or virtiofsd) supports post-copy.

A vhost-user back end reads the memory of the server by itself and has to take
part when a page is missing; Nova cannot see whether it does. With the default
a server that has such a device is refused before anything is moved.

Read by nova-compute only, for servers that leave this host.
"""),
    cfg.StrOpt(
        'switch_policy',
        default='auto',
        choices=[
            ('auto', 'As soon as another pass of pre-copy costs more than it '
                     'saves, which may be at once. A server that pre-copy '
                     'can move in time never switches.'),
            ('first-pass', 'After one complete pass of pre-copy, unless what '
                           'is left fits the allowed downtime.'),
            ('manual', 'When a user forces the migration to complete, or when '
                       'pre-copy has taken longer than it may.'),
        ],
        help="""
When a migration with ``"post_copy": true`` switches from pre-copy to
post-copy.

With each policy the allowed downtime is ``[libvirt] live_migration_downtime``,
and a migration switches when pre-copy has taken longer than
``[libvirt] live_migration_completion_timeout`` allows; with ``manual`` it is
aborted then, if ``[libvirt] live_migration_timeout_action`` is ``abort``.

Read by nova-compute only, for servers that leave this host.
"""),
    cfg.FloatOpt(
        'degraded_weight',
        default=2.0,
        min=0.0,
        max=100.0,
        help="""
How many seconds a migration may take longer to spare its server one second of
post-copy, during which it is slow because memory that it needs has not arrived
yet. Only for ``switch_policy = auto``.

With 0 the migration ends as soon as possible. The higher it is, the more
passes of pre-copy there are before the switch, as long as each of them leaves
less memory than the one before.

Read by nova-compute only, for servers that leave this host.
"""),
    cfg.IntOpt(
        'recovery_timeout',
        default=0,
        min=0,
        help="""
How many seconds a migration whose stream broke in post-copy is resumed again
and again before it is given up; 0 means until an operator decides, by ``nova
reset-state``.

While it is interrupted, the server goes on on the destination as far as it
does not need memory that is still on the source. When it is given up, the
server is set to ERROR, this memory is lost, and both hosts keep what they
have.

Read by nova-compute only, for servers that leave this host.
"""),
    cfg.HostAddressOpt(
        'recovery_addr',
        help="""
A second address of this host, over which a migration to it is resumed when
its migration address (``[libvirt] live_migration_inbound_addr``) does not
answer. It should be in another network, which then carries the rest of the
server's memory. By default only the migration address is tried.

With TLS the certificates of this host must be valid for this address, too.

Read by nova-compute only, for servers that enter this host.
"""),
    cfg.Opt(
        'migration_ports',
        type=types.Range(min=1, max=65535),
        default='49152-49215',
        metavar='FIRST-LAST',
        help="""
The ports on which QEMU waits for servers that enter a host:
``migration_port_min`` and ``migration_port_max`` in libvirt's ``qemu.conf``,
whose defaults these are. Set it to the same where ``qemu.conf`` says something
else.

By its port the dead stream of a broken migration is told from the other
connections of a server, such as its console. With a wrong range a migration
whose network drops packets silently is resumed only when TCP has given the
stream up, which can take many minutes after the network is back.

Read by nova-compute only.
"""),
    cfg.IntOpt(
        'conductor_timeout',
        default=5,
        min=1,
        max=60,
        help="""
How many seconds the API waits for a nova-conductor that has nova-post-copy
loaded, before it refuses a request that names ``post_copy`` with 503.

The answer normally takes a few milliseconds. Nothing has changed when the
request is refused.

Read by nova-api only.
"""),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    conf.register_group(post_copy_group)
    conf.register_opts(opts, group=post_copy_group)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """Return the options for ``oslo-config-generator``."""
    return [(post_copy_group, opts)]
