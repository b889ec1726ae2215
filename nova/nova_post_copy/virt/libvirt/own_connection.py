# SPDX-License-Identifier: Apache-2.0

"""A connection to libvirt for a call that blocks as long as a migration takes.

On the connection that all of nova-compute shares, other calls and events wait
now and then up to 5 s for such a call: the time of libvirt's keepalive. The
monitor would miss the moment to switch, and Nova the one to move the network.
"""

from nova import objects
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host


def guest(host: libvirt_host.Host,
          instance: objects.Instance) -> libvirt_guest.Guest:
    """Look up a guest on a connection of its own, which is closed with it.

    :raises libvirt.libvirtError: libvirt does not answer, or does not know it
    """
    connection = host._connect(host._uri, False)
    return libvirt_guest.Guest(connection.lookupByUUIDString(instance.uuid))
