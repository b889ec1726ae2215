# SPDX-License-Identifier: Apache-2.0

"""Check whether this host and its guests can take part in post-copy.

Each function returns refusals: sentences for the user, an empty list when
nothing prevents post-copy. The API and the conductor ask the source and the
destination before anything is moved.
"""

from xml.etree import ElementTree

import nova.conf
from nova.i18n import _
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.virt.libvirt import userfaultfd

CONF = nova.conf.CONF

# The first release that can resume a post-copy migration whose stream broke
# (VIR_MIGRATE_POSTCOPY_RESUME). Before, the memory of the server was lost.
MIN_LIBVIRT = (8, 5, 0)
# The first release that supports post-copy with parallel connections.
MIN_QEMU_PARALLEL = (10, 1, 0)


def source_refusals(host: libvirt_host.Host) -> list[str]:
    """Return what prevents guests of this host from leaving by post-copy."""
    refusals = []
    if not CONF.post_copy.allowed:
        refusals.append(
            _('the operator does not allow post-copy on this host '
              '([post_copy] allowed = false)'))
    if CONF.libvirt.virt_type not in ('kvm', 'qemu'):
        refusals.append(
            _('post-copy needs QEMU; [libvirt] virt_type is %s')
            % CONF.libvirt.virt_type)
    if not host.has_min_version(MIN_LIBVIRT):
        refusals.append(
            _('libvirt is older than %s and cannot resume a broken post-copy '
              'migration') % '.'.join(map(str, MIN_LIBVIRT)))
    if CONF.libvirt.live_migration_tunnelled:
        refusals.append(
            _('post-copy is not possible through a tunnel ([libvirt] '
              'live_migration_tunnelled = true)'))
    if (CONF.libvirt.live_migration_parallel_connections > 1 and
            not host.has_min_version(hv_ver=MIN_QEMU_PARALLEL)):
        refusals.append(
            _('QEMU is older than %s and cannot combine post-copy with '
              '[libvirt] live_migration_parallel_connections > 1')
            % '.'.join(map(str, MIN_QEMU_PARALLEL)))
    return refusals


def destination_refusals(host: libvirt_host.Host) -> list[str]:
    """Return what prevents guests from entering this host by post-copy."""
    refusals = source_refusals(host)
    if CONF.libvirt.file_backed_memory > 0:
        refusals.append(
            _('guests of this host have file-backed memory ([libvirt] '
              'file_backed_memory), which post-copy does not support'))
    refusal = userfaultfd.refusal(host)
    if refusal is not None:
        refusals.append(refusal)
    return refusals


def guest_refusals(domain_xml: str) -> list[str]:
    """Return what prevents a guest from being moved by post-copy.

    :param domain_xml: the live XML description of the guest's domain
    """
    domain = ElementTree.fromstring(domain_xml)
    return [reason for present, reason in (
        # SR-IOV interfaces are <interface type='hostdev'>: Nova detaches them
        # during the migration.
        (_has(domain, './devices/hostdev'),
         _('the server has a host device (VFIO or mediated device, such as '
           'a vGPU)')),
        (_has(domain, "./devices/memory[@model='nvdimm']"),
         _('the server has virtual persistent memory')),
        (_has(domain, "./memoryBacking/source[@type='file']"),
         _('the server has file-backed memory')),
        (not CONF.post_copy.vhost_user and _has_vhost_user(domain),
         _('the server has a vhost-user device, and [post_copy] vhost_user '
           'does not declare that the back ends on its host support '
           'post-copy')),
    ) if present]


def _has(domain: ElementTree.Element, path: str) -> bool:
    return domain.find(path) is not None


def _has_vhost_user(domain: ElementTree.Element) -> bool:
    return (_has(domain, "./devices/interface[@type='vhostuser']") or
            _has(domain, "./devices/filesystem/driver[@type='virtiofs']"))
