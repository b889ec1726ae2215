# SPDX-License-Identifier: Apache-2.0

"""Memory of a guest that a migration has to copy, and its page size."""

import typing
from xml.etree import ElementTree

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

from oslo_log import log as logging
from oslo_utils import units

from nova import exception
from nova import objects
from nova.virt.libvirt import host as libvirt_host

LOG = logging.getLogger(__name__)

PAGE_SIZE_BYTES = 4096

_UNITS = {'b': 1, 'bytes': 1, 'KiB': units.Ki, 'MiB': units.Mi,
          'GiB': units.Gi}


class Memory(typing.NamedTuple):
    used: int           #: bytes that a migration has to copy
    page_size: int      #: bytes of a page that the guest has to wait for


def look(host: libvirt_host.Host, instance: objects.Instance,
         total: int) -> Memory:
    """Return how much memory of a guest a migration has to copy.

    Memory that the guest has never touched, or has given back to a balloon,
    consists of zero pages, which take almost no time.

    :param total: the guest's memory (bytes), returned if libvirt does not
        answer
    """
    try:
        guest = host.get_guest(instance)
        stats = guest._domain.memoryStats()
        page_size = _page_size(guest.get_xml_desc())
    except (libvirt.libvirtError, exception.NovaException) as exc:
        LOG.debug('The memory in use is unknown: %s', exc,
                  instance=instance)
        return Memory(total, PAGE_SIZE_BYTES)
    # Huge pages are not part of the RSS of a process.
    names = ('actual',) if page_size > PAGE_SIZE_BYTES else ('actual', 'rss')
    known = [stats[name] * units.Ki for name in names if stats.get(name)]
    return Memory(min([total, *known]), page_size)


def _page_size(domain_xml: str) -> int:
    pages = ElementTree.fromstring(domain_xml).findall(
        './memoryBacking/hugepages/page')
    return max((int(page.attrib['size']) * _UNITS[page.get('unit', 'KiB')]
                for page in pages), default=PAGE_SIZE_BYTES)
