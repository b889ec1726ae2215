# SPDX-License-Identifier: Apache-2.0

"""The part of libvirt that nova-compute reads to decide about a switch."""

try:
    import libvirt
except ImportError:
    from lab.simulation import names as libvirt

from lab.switching import guests
from lab.switching import world

_PAGES = ('<domain><memoryBacking><hugepages><page size="%d" unit="KiB"/>'
          '</hugepages></memoryBacking></domain>')


class Host:
    """A fake of Nova's Host and Guest and of virConnect, for one domain.

    :param measures: whether QEMU can measure the dirty rate
    """

    def __init__(self, guest: guests.Guest, measures: bool) -> None:
        self._guest = guest
        self._measures = measures
        self._domain = self
        self.look: world.Look | None = None     #: the one that is going on

    def get_guest(self, instance) -> 'Host':
        return self

    def get_connection(self) -> 'Host':
        return self

    def get_xml_desc(self, dump_inactive: bool = False,
                     dump_sensitive: bool = False,
                     dump_migratable: bool = False) -> str:
        if self._guest.page_size == guests.PAGE_BYTES:
            return '<domain/>'
        return _PAGES % (self._guest.page_size >> 10)

    def memoryStats(self) -> dict:
        return {'actual': self._guest.memory >> 10,
                'rss': self._guest.known >> 10}

    def domainListGetStats(self, doms, stats: int = 0,
                           flags: int = 0) -> list:
        seen = self.look.measurement
        if not self._measures:
            return [(self, {})]
        if self.look.now < seen.end:
            return [(self, {'dirtyrate.calc_status':
                            libvirt.VIR_DOMAIN_DIRTYRATE_MEASURING})]
        return [(self, {
            'dirtyrate.calc_status': libvirt.VIR_DOMAIN_DIRTYRATE_MEASURED,
            'dirtyrate.calc_period': seen.length,
            'dirtyrate.megabytes_per_second': seen.mib_per_second})]
