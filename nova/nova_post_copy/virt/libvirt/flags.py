# SPDX-License-Identifier: Apache-2.0

"""The libvirt migration flags of one migration.

Upstream computes one set of flags for all migrations of a host.
"""

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None


def with_post_copy(flags: int) -> int:
    """May finish by post-copy; then the guest need not be slowed down."""
    return (flags | libvirt.VIR_MIGRATE_POSTCOPY) & (
        ~libvirt.VIR_MIGRATE_AUTO_CONVERGE)


def without_post_copy(flags: int, auto_converge: bool) -> int:
    """Never finishes by post-copy.

    :param auto_converge: whether the operator permits it; upstream leaves it
        out where the host-wide flag asks for post-copy
    """
    flags &= ~libvirt.VIR_MIGRATE_POSTCOPY
    if auto_converge:
        flags |= libvirt.VIR_MIGRATE_AUTO_CONVERGE
    return flags
