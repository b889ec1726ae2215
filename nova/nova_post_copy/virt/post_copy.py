# SPDX-License-Identifier: Apache-2.0

"""``nova.virt.post_copy``: what ``compute_driver = post_copy.LibvirtDriver``
names. Nova imports its drivers from ``nova.virt``, whose path we extend."""

from nova_post_copy.virt.libvirt.driver import LibvirtDriver

__all__ = ('LibvirtDriver',)
