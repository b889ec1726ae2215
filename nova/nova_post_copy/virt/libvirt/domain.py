# SPDX-License-Identifier: Apache-2.0

"""State of a guest, as its libvirt domain reports it."""

import time

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

from nova import exception
from nova import objects
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.decisions.condition import Condition

# A domain that is shutting down is asked so often, at such intervals. It took
# a quarter of a second.
RESULT_TRIES = 20
RESULT_INTERVAL_S = 0.1


def interpret(state: int, reason: int) -> Condition:
    """Translate the result of ``virDomainGetState``.

    :param state: one of libvirt's VIR_DOMAIN_<state>
    :param reason: one of libvirt's VIR_DOMAIN_<state>_<reason>
    """
    if state in (libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_BLOCKED):
        return {
            libvirt.VIR_DOMAIN_RUNNING_POSTCOPY: Condition.POST_COPY,
            libvirt.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED: Condition.BROKEN,
        }.get(reason, Condition.RUNNING)
    if state in (libvirt.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PMSUSPENDED):
        return {
            libvirt.VIR_DOMAIN_PAUSED_MIGRATION: Condition.MIGRATING,
            libvirt.VIR_DOMAIN_PAUSED_STARTING_UP: Condition.MIGRATING,
            libvirt.VIR_DOMAIN_PAUSED_POSTCOPY: Condition.POST_COPY,
            libvirt.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED: Condition.BROKEN,
            libvirt.VIR_DOMAIN_PAUSED_IOERROR: Condition.IO_ERROR,
        }.get(reason, Condition.PAUSED)
    if state == libvirt.VIR_DOMAIN_SHUTDOWN:
        return Condition.SHUTTING_DOWN
    if state == libvirt.VIR_DOMAIN_SHUTOFF:
        return {
            libvirt.VIR_DOMAIN_SHUTOFF_MIGRATED: Condition.MIGRATED,
            libvirt.VIR_DOMAIN_SHUTOFF_SHUTDOWN: Condition.POWERED_OFF,
        }.get(reason, Condition.SHUTOFF)
    return Condition.SHUTOFF


def ask(host: libvirt_host.Host, instance: objects.Instance) -> Condition:
    """Return the state of a guest on this host.

    The domain is looked up each time: after a restart of libvirt, a domain
    that was looked up before does not answer any more.

    :returns: UNKNOWN when libvirt does not answer
    """
    try:
        return ask_guest(host.get_guest(instance))
    except exception.InstanceNotFound:
        return Condition.ABSENT
    except (exception.InternalError, exception.HypervisorUnavailable):
        return Condition.UNKNOWN


def ask_for_result(host: libvirt_host.Host,
                   instance: objects.Instance) -> Condition:
    """Return the state of a guest that has left this host.

    A domain is *shutting down* for a moment before it is *shut off
    (migrated)*, with libvirt 11.3 and newer.
    """
    for _time in range(RESULT_TRIES):
        found = ask(host, instance)
        if found is not Condition.SHUTTING_DOWN:
            break
        time.sleep(RESULT_INTERVAL_S)
    return found


def ask_guest(guest: libvirt_guest.Guest) -> Condition:
    """Return the state of a guest whose domain was just looked up."""
    try:
        state, reason = guest._domain.state()
    except libvirt.libvirtError as exc:
        if exc.get_error_code() == libvirt.VIR_ERR_NO_DOMAIN:
            return Condition.ABSENT
        return Condition.UNKNOWN
    return interpret(state, reason)
