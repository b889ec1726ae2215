# SPDX-License-Identifier: Apache-2.0

"""Check whether this host and its guests can take part in post-copy.

Each function returns refusals: sentences for the user, an empty list when
nothing prevents post-copy. The API and the conductor ask the source and the
destination before anything is moved.
"""

import typing
from xml.etree import ElementTree

import nova.conf
from nova.i18n import _
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.decisions import defects
from nova_post_copy.decisions.defects import Effect
from nova_post_copy.decisions.defects import Role
from nova_post_copy.virt.libvirt import userfaultfd

CONF = nova.conf.CONF


def source_refusals(host: libvirt_host.Host) -> list[str]:
    """Return what prevents guests of this host from leaving by post-copy."""
    return _refusals(host, Role.SOURCE)


def _refusals(host: libvirt_host.Host, role: Role) -> list[str]:
    refusals = []
    if not CONF.post_copy.allowed:
        refusals.append(
            _('the operator does not allow post-copy on this host '
              '([post_copy] allowed = false)'))
    if CONF.libvirt.virt_type not in ('kvm', 'qemu'):
        refusals.append(
            _('post-copy needs QEMU; [libvirt] virt_type is %s')
            % CONF.libvirt.virt_type)
    if CONF.libvirt.live_migration_tunnelled:
        refusals.append(
            _('post-copy is not possible through a tunnel ([libvirt] '
              'live_migration_tunnelled = true)'))
    refusals += [
        defect.reason for defect in _defects(host, role, Effect.REFUSED)
        if defect.name not in CONF.post_copy.accepted_defects]
    return refusals


def destination_refusals(host: libvirt_host.Host) -> list[str]:
    """Return what prevents guests from entering this host by post-copy."""
    refusals = _refusals(host, Role.DESTINATION)
    if CONF.libvirt.file_backed_memory > 0:
        refusals.append(
            _('guests of this host have file-backed memory ([libvirt] '
              'file_backed_memory), which post-copy does not support'))
    refusal = userfaultfd.refusal(host)
    if refusal is not None:
        refusals.append(refusal)
    return refusals


def recovery_limits(host: libvirt_host.Host) -> list[str]:
    """Return why its versions keep this host from recovering at once."""
    limits = [
        defect.reason for defect in _defects(host, Role.BOTH, Effect.SLOWER)]
    if refusal := resume_refusal(host):
        limits.append(
            _('%s. So a broken stream to this host is not resumed, but left '
              'to TCP, which may take many minutes') % refusal)
    return ['%s.' % limit for limit in limits]


def resume_refusal(host: libvirt_host.Host) -> str | None:
    """Return why broken streams to this host may not be resumed."""
    for defect in _defects(host, Role.DESTINATION, Effect.REFUSED):
        if defect.name == defects.RESUME_CRASH:
            return defect.reason
    return None


def _defects(host: libvirt_host.Host, role: Role,
             effect: Effect) -> typing.Iterator[defects.Defect]:
    def is_at_least(program: defects.Program,
                    version: defects.Version) -> bool:
        if program is defects.Program.LIBVIRT:
            return host.has_min_version(version)
        return host.has_min_version(hv_ver=version)

    return defects.of_host(is_at_least, role, effect, _is_parallel(),
                           CONF.post_copy.fixed_defects)


def _is_parallel() -> bool:
    return CONF.libvirt.live_migration_parallel_connections > 1


def guest_refusals(domain_xml: str) -> list[str]:
    """Return what prevents a guest from being moved by post-copy.

    :param domain_xml: the live XML description of the guest's domain
    """
    domain = ElementTree.fromstring(domain_xml)
    refusals = [reason for present, reason in (
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
    machine = domain.find('./os/type')
    refusals += [
        defect.reason for defect in defects.of_machine_type(
            '' if machine is None else machine.get('machine', ''),
            _is_parallel(), CONF.post_copy.fixed_defects)
        if defect.name not in CONF.post_copy.accepted_defects]
    return refusals


def _has(domain: ElementTree.Element, path: str) -> bool:
    return domain.find(path) is not None


def _has_vhost_user(domain: ElementTree.Element) -> bool:
    return (_has(domain, "./devices/interface[@type='vhostuser']") or
            _has(domain, "./devices/filesystem/driver[@type='virtiofs']"))
