# SPDX-License-Identifier: Apache-2.0

"""Module that ``compute_driver = post_copy.LibvirtDriver`` names.

Nova imports its drivers from ``nova.virt``, whose path we extend.
"""

from nova_post_copy.seams import check
from nova_post_copy.seams.seam import Part

# Before our driver takes what it needs from upstream's.
check.require(Part.DRIVER)

from nova_post_copy.virt.libvirt.driver import LibvirtDriver

__all__ = ('LibvirtDriver',)
