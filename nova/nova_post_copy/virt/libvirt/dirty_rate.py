# SPDX-License-Identifier: Apache-2.0

"""Measure the dirty rate of a guest.

libvirt does not allow to start a measurement during a migration, so it is
started when a migration is requested, and read when the result is there.

Pages are sampled, which is safe for every guest. QEMU's other modes are more
exact, but the one that marks all pages crashes a guest without KVM (QEMU 7.2).
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

# What libvirt accepts as duration.
SHORTEST_S, LONGEST_S = 1, 60
# Assumed where nothing limits the bandwidth: 10 Gb/s.
USUAL_BANDWIDTH_BYTES_PER_S = 1.25e9

_MIB = 1 << 20


class Measurement(typing.NamedTuple):
    goes_on: bool
    result: workload.Observation | None = None


def seconds(memory: float, bandwidth: float) -> int:
    """Return how many seconds to measure.

    A quarter of the time of a complete pass: a decision after that can still
    save most of the pass. Rather longer than shorter: the measurement starts
    about a second before the pass, and a shorter one says less about a pass.

    :param memory: of the guest (bytes)
    :param bandwidth: of the network (bytes/s); 0: not limited
    """
    complete_pass = memory / (bandwidth or USUAL_BANDWIDTH_BYTES_PER_S)
    return min(max(math.ceil(complete_pass / 4), SHORTEST_S), LONGEST_S)


def begin(guest: libvirt_guest.Guest, length: int) -> None:
    """Start measuring the dirty rate, if that is possible.

    :param length: duration (s)
    """
    try:
        guest._domain.startDirtyRateCalc(
            length, libvirt.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING)
    except libvirt.libvirtError as exc:
        # QEMU is too old, or a measurement is already running.
        LOG.debug('The dirty rate is not measured: %s', exc)


def look(host: libvirt_host.Host, instance: objects.Instance) -> Measurement:
    """Return the state or the result of the measurement."""
    try:
        domain = host.get_guest(instance)._domain
        found = host.get_connection().domainListGetStats(
            [domain], libvirt.VIR_DOMAIN_STATS_DIRTYRATE)
    except (libvirt.libvirtError, exception.NovaException) as exc:
        LOG.debug('The dirty rate cannot be read: %s', exc, instance=instance)
        return Measurement(False)
    # libvirt omits a domain that is gone, and values that are not known.
    stats: dict[str, typing.Any] = next(
        (stats for _domain, stats in found), {})
    status = stats.get('dirtyrate.calc_status')
    if status != libvirt.VIR_DOMAIN_DIRTYRATE_MEASURED:
        return Measurement(status == libvirt.VIR_DOMAIN_DIRTYRATE_MEASURING)
    length = stats['dirtyrate.calc_period']
    return Measurement(False, workload.Observation(
        length, stats['dirtyrate.megabytes_per_second'] * _MIB * length))
