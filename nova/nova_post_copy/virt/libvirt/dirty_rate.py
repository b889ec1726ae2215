# SPDX-License-Identifier: Apache-2.0

"""Measure how much of its memory a guest writes to.

libvirt lets nobody begin this during a migration, so it is begun as soon as a
migration is asked for, and read when it is there.

Pages are sampled, which any guest survives. The other modes of QEMU are more
exact, but the one that marks all pages ends a guest without KVM (QEMU 7.2).
"""

import math
import typing

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

from oslo_log import log as logging

from nova import exception
from nova import objects
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.decisions import workload

LOG = logging.getLogger(__name__)

# What libvirt accepts (s).
SHORTEST, LONGEST = 1, 60
# Where nothing limits the bandwidth: 10 Gb/s, in bytes/s.
USUAL_BANDWIDTH_BYTES_PER_S = 1.25e9

_MIB = 1 << 20


class Measurement(typing.NamedTuple):
    goes_on: bool
    result: workload.Observation | None = None


def seconds(memory: float, bandwidth: float) -> int:
    """Choose how long to measure.

    A quarter of the time of a complete pass. What is found after that can
    still save most of it. Rather more than less: it begins about a second
    before the pass, and the shorter it is, the less it says about a pass.

    :param memory: of the guest (bytes)
    :param bandwidth: of the network (bytes/s); 0: not limited
    """
    complete_pass = memory / (bandwidth or USUAL_BANDWIDTH_BYTES_PER_S)
    return min(max(math.ceil(complete_pass / 4), SHORTEST), LONGEST)


def begin(guest: libvirt_guest.Guest, length: int) -> None:
    """Begin to measure, unless that is not possible.

    :param length: how long (s)
    """
    try:
        guest._domain.startDirtyRateCalc(
            length, libvirt.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING)
    except libvirt.libvirtError as exc:
        # QEMU is too old, or somebody is measuring already.
        LOG.debug('The dirty rate is not measured: %s', exc)


def look(host: libvirt_host.Host, instance: objects.Instance) -> Measurement:
    """See what was measured."""
    try:
        domain = host.get_guest(instance)._domain
        found = host.get_connection().domainListGetStats(
            [domain], libvirt.VIR_DOMAIN_STATS_DIRTYRATE)
    except (libvirt.libvirtError, exception.NovaException) as exc:
        LOG.debug('The dirty rate cannot be read: %s', exc, instance=instance)
        return Measurement(False)
    # libvirt leaves out a domain that has gone, and what it does not know.
    stats: dict[str, typing.Any] = next(
        (stats for _domain, stats in found), {})
    status = stats.get('dirtyrate.calc_status')
    if status != libvirt.VIR_DOMAIN_DIRTYRATE_MEASURED:
        return Measurement(status == libvirt.VIR_DOMAIN_DIRTYRATE_MEASURING)
    length = stats['dirtyrate.calc_period']
    return Measurement(False, workload.Observation(
        length, stats['dirtyrate.megabytes_per_second'] * _MIB * length))
