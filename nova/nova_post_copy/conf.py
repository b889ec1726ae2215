# SPDX-License-Identifier: Apache-2.0

"""Options of the group ``[post_copy]`` in ``nova.conf``."""

from oslo_config import cfg
from oslo_config import types

import nova.conf

from nova_post_copy.decisions import defects

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
Allow servers to leave or enter this compute host by post-copy.

During post-copy a server runs on the destination while part of its memory is
still on the source. If either host dies in that time, or the network between
them fails for good, the memory of the server is lost. Set this option to
``False`` on hosts where that risk is not acceptable: a request with
``"post_copy": true`` is then refused for servers on this host, and this host
is not chosen as a destination.

This option is read by nova-compute only.
"""),
    cfg.BoolOpt(
        'vhost_user',
        default=False,
        help="""
Allow servers with a vhost-user device to leave this compute host by post-copy.

Set this option to ``True`` only if every vhost-user back end of this host
(DPDK ports of Open vSwitch or virtiofsd, for example) supports post-copy. Such
a back end accesses the memory of the server directly and must cooperate when a
page is missing; Nova cannot detect whether it does. By default a request with
``"post_copy": true`` is refused for servers that have a vhost-user device,
before anything is moved.

This option is read by nova-compute only, on the source.
"""),
    cfg.ListOpt(
        'fixed_defects',
        default=[],
        item_type=types.String(choices=defects.NAMES),
        help="""
Known defects of libvirt and QEMU that the packages of this host have fixed.

nova-post-copy knows by the versions of libvirt and QEMU what goes wrong, and
refuses post-copy where it would harm servers. A distribution may have fixed a
defect without changing the version. Name it here, and this host is treated as
if it had a version without the defect.

Possible values:

* ``libvirt-no-resume``: libvirt before 8.5 cannot resume a broken stream.
* ``libvirt-resume-refused``: libvirt 8.5 to 8.10 refuses some resumes.
* ``libvirt-resume-crash``: libvirt 11.2 and 11.3 (Debian 13) crash on the
  destination when a stream is resumed.
* ``qemu-parallel``: QEMU before 10.1 cannot combine post-copy with parallel
  connections.
* ``machine-type-parallel``: neither can servers whose machine type is older
  than 8.0, with any QEMU.

This option is read by nova-compute only.

Related options:

* ``[post_copy] accepted_defects``
"""),
    cfg.ListOpt(
        'accepted_defects',
        default=[],
        item_type=types.String(choices=defects.NAMES),
        help="""
Known defects of libvirt and QEMU in spite of which this host takes part in
post-copy.

With ``libvirt-resume-crash``, servers can enter a host with libvirt 11.2 or
11.3 by post-copy. A broken stream to such a host is neither resumed nor broken
off on purpose, because libvirt there would crash, and with it the management
of all servers of that host. TCP heals the stream when the network is back,
which may take as long again as the network was away, or longer. With the other
names, expect migrations that fail or hang.

Possible values: those of ``[post_copy] fixed_defects``.

This option is read by nova-compute only.

Related options:

* ``[post_copy] fixed_defects``
"""),
    cfg.StrOpt(
        'switch_policy',
        default='auto',
        choices=[
            ('auto', 'Switch once another pre-copy pass would cost more than '
                     'it saves, which may be immediately. A server that '
                     'pre-copy is expected to move in time does not switch.'),
            ('first-pass', 'Switch after the first complete pre-copy pass, '
                           'unless the remaining memory fits the allowed '
                           'downtime.'),
            ('manual', 'Switch when a user forces the migration to complete, '
                       'or when pre-copy times out.'),
        ],
        help="""
When a migration with ``"post_copy": true`` switches from pre-copy to
post-copy.

With every policy, pre-copy finishes the migration without a switch once the
remaining memory fits ``[libvirt] live_migration_downtime``, a user can force
the switch, and a migration switches when pre-copy has taken longer than
``[libvirt] live_migration_completion_timeout`` allows. With ``manual``, the
migration is aborted then if ``[libvirt] live_migration_timeout_action`` is
``abort``.

This option is read by nova-compute only, on the source.

Related options:

* ``[post_copy] degraded_weight``
* ``[libvirt] live_migration_downtime``
* ``[libvirt] live_migration_completion_timeout``
* ``[libvirt] live_migration_timeout_action``
"""),
    cfg.FloatOpt(
        'degraded_weight',
        default=2.0,
        min=0.0,
        max=100.0,
        help="""
How many seconds longer a migration may take to spare its server one second of
post-copy.

During post-copy the server is degraded: it waits for memory that has not
arrived yet. With 0 the migration finishes as soon as possible. The higher the
value, the more pre-copy passes precede the switch, as long as each pass leaves
less memory than the one before.

This option is read by nova-compute only, on the source.

Related options:

* ``[post_copy] switch_policy`` must be ``auto``, otherwise this option has no
  effect.
"""),
    cfg.IntOpt(
        'recovery_timeout',
        default=0,
        min=0,
        help="""
Time in seconds after which nova-compute gives up resuming a migration whose
stream broke in post-copy.

Until then nova-compute retries. Meanwhile the server keeps running on the
destination as long as it does not need memory that is still on the source.
When nova-compute gives up, that memory is lost, the server is set to ERROR,
and nothing is deleted on either host.

Possible values:

* 0 (default): retry until an operator ends the recovery with
  ``nova-post-copy-manage migration give-up``.
* Any positive integer: the time in seconds.

This option is read by nova-compute only, on the source.
"""),
    cfg.BoolOpt(
        'error_when_unreachable',
        default=False,
        help="""
Set a server to ERROR while the other host of its interrupted migration does
not answer.

After a minute without an answer, nova-compute reports the host: in an instance
fault, in an event of the instance action and in a notification. The server
most likely runs, and its migration continues when the host is back, so by
default it stays ACTIVE, with the task state ``migrating`` and the migration in
the status ``interrupted (post-copy)``. Controllers such as Cluster API, Heat
or Tempest's waiters take a server in ERROR for dead. Set this option to
``True`` if you want the alarm all the same; the server is ACTIVE again when
the migration continues.

This option is read by nova-compute only, on both hosts.
"""),
    cfg.HostAddressOpt(
        'recovery_addr',
        help="""
Second address of this host, used to resume migrations to this host.

nova-compute on the source uses this address when the migration address
(``[libvirt] live_migration_inbound_addr``) does not answer. The rest of the
server's memory is then copied over this address, which should belong to a
different network. By default only the migration address is tried.

With TLS, the certificates of this host must be valid for this address too.

This option is read by nova-compute only, on the destination.

Related options:

* ``[libvirt] live_migration_inbound_addr``
"""),
    cfg.Opt(
        'migration_ports',
        type=types.Range(min=1, max=65535),
        metavar='FIRST-LAST',
        help="""
Ports on which QEMU listens for incoming migrations.

nova-compute identifies the dead stream of a broken migration by its port, to
tell the stream from other connections of the server, such as its console. If
the range is wrong and the network silently drops packets, a migration resumes
only after TCP has given up the stream, which can take many minutes after the
network is back.

Possible values:

* Not set (default): the values of ``migration_port_min`` and
  ``migration_port_max`` in ``/etc/libvirt/qemu.conf`` of this host, or
  49152-49215, libvirt's default, where there is no such file.
* A range: the same values. Set this option where nova-compute runs in a
  container that does not have libvirt's ``qemu.conf``.

This option is read by nova-compute only.
"""),
    cfg.IntOpt(
        'conductor_timeout',
        default=5,
        min=1,
        max=60,
        help="""
Time in seconds to wait for an answer from a nova-conductor with
nova-post-copy loaded.

A request that contains ``post_copy`` is refused with 503 when none answers in
this time; nothing was changed then. The answer normally takes a few
milliseconds.

This option is read by nova-api, by nova-post-copy-status, and by nova-compute
when it finishes an event of an instance action.
"""),
]


def register_opts(conf: cfg.ConfigOpts) -> None:
    conf.register_group(post_copy_group)
    conf.register_opts(opts, group=post_copy_group)


def list_opts() -> list[tuple[cfg.OptGroup, list[cfg.Opt]]]:
    """Return the options for ``oslo-config-generator``."""
    return [(post_copy_group, opts)]
