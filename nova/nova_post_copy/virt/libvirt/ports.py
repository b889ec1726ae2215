# SPDX-License-Identifier: Apache-2.0

"""Ports of the streams of migrations, and those of other connections."""

import pathlib
import re

import nova.conf
from nova import privsep

CONF = nova.conf.CONF

_QEMU_CONF = pathlib.Path('/etc/libvirt/qemu.conf')
# libvirt's own, which its qemu.conf quotes.
DEFAULT = (49152, 49215)
_EPHEMERAL = pathlib.Path('/proc/sys/net/ipv4/ip_local_port_range')


def migration_ports() -> range:
    """Return the ports on which QEMU listens for incoming migrations.

    Those of ``[post_copy] migration_ports``, or else of libvirt's qemu.conf.
    """
    first, last = _configured() or _of_libvirt() or DEFAULT
    return range(first, last + 1)


def are_known() -> bool:
    """Tell whether somebody says which ports the streams use."""
    return (_configured() or _of_libvirt()) is not None


def ephemeral_ports() -> range:
    """Return the ports from which programs connect.

    Those of this host; another one of the same cloud has the same.
    """
    first, last = map(int, _EPHEMERAL.read_text().split())
    return range(first, last + 1)


def _configured() -> tuple[int, int] | None:
    configured = CONF.post_copy.migration_ports
    return configured and (configured[0], configured[-1])


@privsep.sys_admin_pctxt.entrypoint
def _of_libvirt() -> tuple[int, int] | None:
    """Read qemu.conf, which on many systems only root can.

    :returns: None where there is none, as in the container of nova-compute
    """
    try:
        text = _QEMU_CONF.read_text()
    except OSError:
        return None
    first, last = (
        int(found[1]) if (found := re.search(
            r'^\s*%s\s*=\s*(\d+)' % name, text, re.MULTILINE)) else default
        for name, default in zip(
            ('migration_port_min', 'migration_port_max'), DEFAULT))
    return first, last
