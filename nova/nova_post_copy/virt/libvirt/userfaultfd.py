# SPDX-License-Identifier: Apache-2.0

"""Check whether the QEMU processes of this host may use userfaultfd.

On the destination of a post-copy migration QEMU serves missing pages by
userfaultfd, and must be permitted to handle faults in kernel mode too. libvirt
drops all capabilities of QEMU, so two ways remain (kernel:
Documentation/admin-guide/mm/userfaultfd.rst):

* the sysctl ``vm.unprivileged_userfaultfd`` is 1 (kernels before 5.2 do not
  have it and permit everyone);
* ``/dev/userfaultfd`` (kernel 6.1) may be opened by the user that QEMU runs
  as; QEMU uses the device since version 8.0.
"""

import os
import stat
from xml.etree import ElementTree

from nova.i18n import _
from nova.virt.libvirt import host as libvirt_host

SYSCTL = '/proc/sys/vm/unprivileged_userfaultfd'
DEVICE = '/dev/userfaultfd'
MIN_QEMU_DEVICE = (8, 0, 0)


def refusal(host: libvirt_host.Host) -> str | None:
    """Return why QEMU may not use userfaultfd here; None if it may."""
    if _unprivileged():
        return None
    if (host.has_min_version(hv_ver=MIN_QEMU_DEVICE) and
            _can_open(DEVICE, *_qemu_user(host))):
        return None
    return _('the kernel does not permit QEMU to use userfaultfd: set sysctl '
             'vm.unprivileged_userfaultfd = 1, or with QEMU 8.0 or newer '
             'give its user read and write access to /dev/userfaultfd')


def _unprivileged() -> bool:
    try:
        with open(SYSCTL) as sysctl:
            return sysctl.read().strip() == '1'
    except FileNotFoundError:
        return True


def _qemu_user(host: libvirt_host.Host) -> tuple[int, int]:
    """Return uid and gid of QEMU, which are libvirt's DAC base label."""
    capabilities = ElementTree.fromstring(
        host.get_connection().getCapabilities())
    for model in capabilities.iterfind('./host/secmodel'):
        if model.findtext('model') == 'dac':
            uid, gid = model.findtext('baselabel', '').split(':')
            return int(uid), int(gid)
    return os.geteuid(), os.getegid()


def _can_open(path: str, uid: int, gid: int) -> bool:
    """Tell whether a user without capabilities may read and write a file."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    if status.st_uid == uid:
        wanted = stat.S_IRUSR | stat.S_IWUSR
    elif status.st_gid == gid:
        wanted = stat.S_IRGRP | stat.S_IWGRP
    else:
        wanted = stat.S_IROTH | stat.S_IWOTH
    return status.st_mode & wanted == wanted
