# SPDX-License-Identifier: Apache-2.0

"""The disks and interfaces of a domain, as far as upstream's fake forgets.

Upstream's fake drops the serial of a disk, by which Nova finds the volumes of
a guest in its XML and puts the destination's path in place of the source's,
and what an interface is, by which Nova finds the one to detach. It detaches a
device without the event for which Nova waits.
"""

import copy

from lxml import etree
from nova.tests.fixtures import libvirt as fake

from lab.simulation import names


class Devices(fake.Domain):
    """A domain of upstream's fake, whose devices keep what they are."""

    def disk_sources(self) -> set[str]:
        """Return the sources of its disks: paths, or ``rbd:pool/image``."""
        return {source for disk in self._disks()
                if (source := _source(disk)) is not None}

    def disk_size(self, serial: str) -> int | None:
        """Return the size of a volume as QEMU was last told it (bytes)."""
        return next((disk.get('size') for disk in self._disks()
                     if disk.get('serial') == serial), None)

    def macs(self) -> set[str]:
        """Return the MAC addresses of its interfaces."""
        return {nic['mac'] for nic in self._def['devices'].get('nics', [])}

    def _disks(self) -> list[dict]:
        return self._def['devices'].get('disks', [])

    def _parse_definition(self, xml):
        definition = super()._parse_definition(xml)
        disks = etree.fromstring(xml).findall('./devices/disk')
        for disk, element in zip(definition['devices'].get('disks', []),
                                 disks):
            disk['serial'] = element.findtext('serial')
        interfaces = etree.fromstring(xml).findall('./devices/interface')
        for nic, element in zip(definition['devices'].get('nics', []),
                                interfaces):
            nic['element'] = element
        return definition

    def attachDevice(self, xml):
        attached = super().attachDevice(xml)
        if xml.startswith('<disk'):
            self._disks()[-1]['serial'] = etree.fromstring(
                xml).findtext('serial')
        elif xml.startswith('<interface'):
            self._def['devices']['nics'][-1]['element'] = etree.fromstring(xml)
        return attached

    def detachDeviceFlags(self, xml, flags):
        alias = etree.fromstring(xml).find('./alias')
        super().detachDeviceFlags(xml, flags)
        if alias is not None and self.isActive():
            self._connection.emit(
                fake.VIR_DOMAIN_EVENT_ID_DEVICE_REMOVED, self,
                alias.get('name'))

    def blockResize(self, disk, size, flags=0):
        for known in self._disks():
            if disk in (known.get('target_dev'), _source(known)):
                known['size'] = size * (
                    1 if flags & names.VIR_DOMAIN_BLOCK_RESIZE_BYTES
                    else 1024)
        return 0

    def XMLDesc(self, flags=0):
        tree = etree.fromstring(super().XMLDesc(flags))
        for disk, element in zip(self._disks(),
                                 tree.findall('./devices/disk')):
            if disk.get('serial'):
                etree.SubElement(element, 'serial').text = disk['serial']
        for nic, element in zip(self._def['devices'].get('nics', []),
                                tree.findall('./devices/interface')):
            element[:] = [child for child in element
                          if child.tag in ('alias', 'address')]
            element.extend(copy.deepcopy(child) for child in nic['element']
                           if child.tag not in ('alias', 'address'))
        return etree.tostring(tree, encoding='unicode')


def _source(disk: dict) -> str | None:
    if disk.get('source_protocol'):
        return '%s:%s' % (disk['source_protocol'], disk['source_name'])
    return disk.get('source')
