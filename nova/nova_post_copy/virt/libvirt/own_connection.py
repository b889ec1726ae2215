# SPDX-License-Identifier: Apache-2.0

"""Separate libvirt connection for a call that blocks during a migration.

On the connection that all of nova-compute shares, other calls and events
sometimes wait up to 5 s, libvirt's keepalive interval, for such a call. The
monitor would then switch late, and Nova would move the network late.
"""

from nova import objects
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host


def guest(host: libvirt_host.Host,
          instance: objects.Instance) -> libvirt_guest.Guest:
    """Look up a guest on a new connection, which is closed with the guest.

    :raises libvirt.libvirtError: libvirt does not answer, or has no such guest
    """
    connection = host._connect(host._uri, False)
    return libvirt_guest.Guest(connection.lookupByUUIDString(instance.uuid))
