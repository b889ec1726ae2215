# SPDX-License-Identifier: Apache-2.0

"""What there is to carry of a guest, and in which pieces."""

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
    used: int           #: bytes that a migration has to carry
    page_size: int      #: bytes of a page that the guest has to wait for


def look(host: libvirt_host.Host, instance: objects.Instance,
         total: int) -> Memory:
    """See what a migration of a guest has to carry.

    A guest that has not touched all of its memory yet, or has given some back
    to a balloon, leaves pages of zeros, which take next to no time.

    :param total: the guest's memory (bytes)
    """
    try:
        guest = host.get_guest(instance)
        stats = guest._domain.memoryStats()
        page_size = _page_size(guest.get_xml_desc())
    except (libvirt.libvirtError, exception.NovaException) as exc:
        LOG.debug('The memory in use is not known: %s', exc,
                  instance=instance)
        return Memory(total, PAGE_SIZE_BYTES)
    # Huge pages are counted with no process.
    names = ('actual',) if page_size > PAGE_SIZE_BYTES else ('actual', 'rss')
    known = [stats[name] * units.Ki for name in names if stats.get(name)]
    return Memory(min([total, *known]), page_size)


def _page_size(domain_xml: str) -> int:
    pages = ElementTree.fromstring(domain_xml).findall(
        './memoryBacking/hugepages/page')
    return max((int(page.attrib['size']) * _UNITS[page.get('unit', 'KiB')]
                for page in pages), default=PAGE_SIZE_BYTES)
