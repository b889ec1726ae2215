# SPDX-License-Identifier: Apache-2.0

"""The domain that virsh moves: that of a server, under another name."""

import xml.etree.ElementTree

from lab import layout

NAME = 'bench-bare'
# Below those that Nova gives to servers, on each host.
CONSOLE = 9900


def command(destination: layout.HostLayout, bandwidth: int) -> list[str]:
    """Return the command that is measured.

    Nova, too, limits the bandwidth and copies the disk.

    :param bandwidth: bytes/s
    """
    return ['virsh', 'migrate', NAME,
            'qemu+tcp://%s/system' % destination.migration,
            '--live', '--p2p', '--postcopy', '--postcopy-after-precopy',
            '--copy-storage-all', '--migrateuri',
            'tcp://%s' % destination.migration,
            '--bandwidth', str(bandwidth // layout.MIB)]


def description(server: str, identity: str) -> str:
    """Make the domain's XML of that of a server.

    :param server: libvirt's XML of the server
    :param identity: uuid of the domain
    """
    domain = xml.etree.ElementTree.fromstring(server)
    domain.find('name').text = NAME
    domain.find('uuid').text = identity
    domain.attrib.pop('id', None)
    for tag in ('metadata', 'sysinfo'):
        for found in domain.findall(tag):
            domain.remove(found)
    for smbios in domain.findall('os/smbios'):
        domain.find('os').remove(smbios)
    domain.find('devices/disk/source').set(
        'file', str(layout.INSTANCES / NAME / 'disk'))
    for device in domain.findall('devices/serial') + domain.findall(
            'devices/console'):
        for log in device.findall('log'):
            device.remove(log)
        for source in device.findall('source[@service]'):
            # Each host has its own addresses.
            source.set('host', '0.0.0.0')
            source.set('service', str(CONSOLE))
    return xml.etree.ElementTree.tostring(domain, encoding='unicode')
