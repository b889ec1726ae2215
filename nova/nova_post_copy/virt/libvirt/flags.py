# SPDX-License-Identifier: Apache-2.0

"""libvirt's flags for one migration.

Upstream computes one set of flags for all migrations of a host.
"""

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None


def with_post_copy(flags: int) -> int:
    """Allow post-copy, which makes auto-converge unnecessary."""
    return (flags | libvirt.VIR_MIGRATE_POSTCOPY) & (
        ~libvirt.VIR_MIGRATE_AUTO_CONVERGE)


def without_post_copy(flags: int, auto_converge: bool) -> int:
    """Rule out post-copy.

    :param auto_converge: whether the operator permits auto-converge, which
        upstream omits where the host-wide option permits post-copy
    """
    flags &= ~libvirt.VIR_MIGRATE_POSTCOPY
    if auto_converge:
        flags |= libvirt.VIR_MIGRATE_AUTO_CONVERGE
    return flags
