# SPDX-License-Identifier: Apache-2.0

"""The storage network: which volume a LUN is on a host, and os-brick there.

A LUN number means something on one host only, as with an array that maps each
volume to each host under a number of its own: no number is used twice here,
and a number that is not a host's own is a volume of another server, which its
guests are using. Whatever Nova does to a LUN of another server, or to one that
a guest needs, is a violation.
"""

import dataclasses
import itertools

import fixtures
from os_brick import exception as brick_exception

from lab.simulation import hosts
from lab.simulation import processes

PORTAL = '192.0.2.10:3260'
IQN = 'iqn.2010-10.org.openstack:array'
_CONNECTOR = 'os_brick.initiator.connectors.iscsi.ISCSIConnector.'


@dataclasses.dataclass
class Lun:
    """A volume, as one host sees it."""

    volume: str              #: uuid
    host: str
    exported: bool = True    #: the array serves it
    connected: bool = False  #: the host has a device of it


class StorageNetwork(fixtures.Fixture):
    """The LUNs of all hosts. Use after upstream's OSBrickFixture."""

    def __init__(self, cloud: hosts.Hosts) -> None:
        self._cloud = cloud
        self._numbers = itertools.count(1)
        self.luns: dict[int, Lun] = {}
        #: bytes of each volume
        self.sizes: dict[str, int] = {}

    def _setUp(self) -> None:
        self._cloud.disks.stores.append(self)
        for name, replacement in (
                ('connect_volume', lambda _self, connection_properties:
                    self._connect(connection_properties)),
                ('disconnect_volume',
                    lambda _self, connection_properties, device_info,
                    force=False, ignore_errors=False:
                    self._disconnect(connection_properties)),
                ('extend_volume', lambda _self, connection_properties:
                    self._extend(connection_properties))):
            self.useFixture(fixtures.MonkeyPatch(
                _CONNECTOR + name, replacement))

    # What Cinder asks for

    def export(self, volume: str, host: str) -> int:
        """Let a host reach a volume.

        :returns: the number of the LUN
        """
        for number, lun in self.luns.items():
            if lun.exported and (lun.volume, lun.host) == (volume, host):
                return number
        number = next(self._numbers)
        self.luns[number] = Lun(volume, host)
        return number

    def withdraw(self, number: int) -> None:
        """Serve a LUN no longer."""
        lun = self.luns[number]
        lun.exported = False
        self._check_unneeded(number, 'is withdrawn from %s' % lun.host)

    # What tests ask

    def connected(self, volume: str) -> set[str]:
        """Return the hosts that have a device of a volume."""
        return {lun.host for lun in self.luns.values()
                if lun.volume == volume and lun.connected}

    def usable(self, host: str, source: str) -> bool:
        """Tell whether a disk of a guest can be used; any but a LUN can."""
        number = _number(source)
        if number is None:
            return True
        lun = self.luns.get(number)
        return (lun is not None and lun.host == host
                and lun.exported and lun.connected)

    def identity(self, source: str) -> str | None:
        """Return the volume behind a disk of a guest."""
        number = _number(source)
        lun = None if number is None else self.luns.get(number)
        return lun and lun.volume

    # os-brick on a host

    def _connect(self, properties: dict) -> dict:
        number, lun = self._own(properties, 'connects')
        if lun is None or not lun.exported:
            raise brick_exception.VolumeDeviceNotFound(device=number)
        lun.connected = True
        return {'type': 'block', 'path': path(number)}

    def _disconnect(self, properties: dict) -> None:
        number, lun = self._own(properties, 'disconnects')
        if lun is None:
            return
        lun.connected = False
        self._check_unneeded(number, 'is disconnected on %s' % lun.host)

    def _extend(self, properties: dict) -> int:
        _number, lun = self._own(properties, 'extends')
        if lun is None:
            raise brick_exception.VolumePathNotRemoved(volume_path=[])
        return self.sizes[lun.volume]

    def _own(self, properties: dict, does: str) -> tuple[int, Lun | None]:
        """Return a LUN of the calling host; None if it is not its own."""
        host, number = processes.host(), properties['target_lun']
        lun = self.luns.get(number)
        if lun is not None and lun.host == host:
            return number, lun
        self._cloud.violate(
            '%s %s LUN %s, a volume of another server' % (host, does, number))
        return number, None

    def _check_unneeded(self, number: int, done: str) -> None:
        lun = self.luns[number]
        for server in self._cloud.disks.needing(lun.host, path(number)):
            self._cloud.violate('LUN %d (volume %s) %s, where server %s needs '
                                'it' % (number, lun.volume, done, server))


def path(number: int) -> str:
    """Return the path of a LUN's device on its host."""
    return '/dev/disk/by-path/ip-%s-iscsi-%s-lun-%d' % (PORTAL, IQN, number)


def _number(source: str) -> int | None:
    prefix, separator, number = source.partition('-lun-')
    return int(number) if separator else None
