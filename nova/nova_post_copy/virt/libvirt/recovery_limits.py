# SPDX-License-Identifier: Apache-2.0

"""What keeps this host from recovering broken migrations at once.

None of it prevents post-copy: the kernel notices a dead stream by itself, but
it may take many minutes.
"""

from nova.i18n import _

from nova_post_copy.virt.libvirt import connections
from nova_post_copy.virt.libvirt import outgoing
from nova_post_copy.virt.libvirt import ports


def find() -> list[str]:
    """Return what an operator should change, a sentence each.

    nova-compute starts also where privsep has no helper, as in upstream's
    tests: that is such a sentence.
    """
    try:
        return _find()
    except Exception as exc:
        return [_(
            'Dead connections cannot be found and ended, so a migration '
            'resumes only when TCP gives them up: the privsep helper of '
            'nova-compute does not start. See helper_command in the group '
            '[nova_sys_admin] of nova.conf, and the rules of sudo. '
            'Error: %s') % (str(exc) or type(exc).__name__)]


def _find() -> list[str]:
    limits = []
    if error := connections.error():
        limits.append(_(
            'Dead connections cannot be found and ended, so a migration '
            'resumes only when TCP gives them up. Install ss(8), from the '
            'package iproute2. Error: %s') % ' '.join(error.split()))
    elif not connections.processes_are_visible(outgoing.DAEMONS):
        limits.append(_(
            'nova-compute cannot see the processes of libvirt and QEMU, so '
            'the dead stream of a server is recognised only while no other '
            'server migrates to or from the host. If nova-compute runs in a '
            'container, let it use the PID namespace of the host.'))
    if not ports.are_known():
        limits.append(_(
            'nova-compute does not find /etc/libvirt/qemu.conf, and '
            '[post_copy] migration_ports is not set: streams of migrations '
            'are expected on the ports %(first)d-%(last)d. Set the option to '
            'the values of migration_port_min and migration_port_max in that '
            'file.') % {
                'first': ports.DEFAULT[0], 'last': ports.DEFAULT[-1]})
    return limits
