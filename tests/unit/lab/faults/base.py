# SPDX-License-Identifier: Apache-2.0

"""An observation of a case in which everything went well."""

from lab.faults.case import Case
from lab.faults.case import End
from lab.faults.case import Fault
from lab.faults.case import Phase
from lab.faults.case import Step
from lab.faults.observation import Final
from lab.faults.observation import Injection
from lab.faults.observation import Observation
from lab.faults import view
from lab.instruments import record

SOURCE, DESTINATION = 'host-a', 'host-b'
RESOURCES = {'VCPU': 1, 'MEMORY_MB': 512}


def case(end: End = End.COMPLETED, fault: Fault | None = None,
         **options) -> Case:
    return Case('case', 'A case.', (Step(
        Phase.POST_COPY, fault or Fault('cut', seconds=5)),), end, **options)


def final(host: str = DESTINATION, status: str = 'completed',
          **changes) -> Final:
    """The records of a server that runs on a host and on no other."""
    fields = {
        'server': {'OS-EXT-SRV-ATTR:host': host, 'status': 'ACTIVE',
                   'OS-EXT-STS:task_state': None,
                   'OS-EXT-STS:power_state': 1},
        'migration': {'status': status},
        'allocations': {host: RESOURCES},
        'migration_allocations': {},
        'domains': {SOURCE: view.ABSENT, DESTINATION: view.ABSENT} | {
            host: view.RUNNING},
        'processes': {host: 1},
        'disks': [host],
        'durable': [],
        'bindings': {host: 'ACTIVE'},
    }
    return Final(**fields | changes)


def lost(**changes) -> Final:
    """The records of a server whose destination's QEMU died."""
    return final(
        DESTINATION, 'error', **{
            'server': {'OS-EXT-SRV-ATTR:host': DESTINATION,
                       'status': 'ERROR', 'OS-EXT-STS:task_state': None,
                       'OS-EXT-STS:power_state': 4,
                       'fault': {'message': 'QEMU has died.'}},
            'domains': {SOURCE: view.PAUSED_POST_COPY_FAILED,
                        DESTINATION: 'shut off (crashed)'},
            'processes': {SOURCE: 1},
            'disks': [SOURCE, DESTINATION],
        } | changes)


def stopped(host: str = DESTINATION, status: str = 'completed',
            **changes) -> Final:
    """The records of a server that has powered itself off."""
    return final(host, status, **{
        'server': {'OS-EXT-SRV-ATTR:host': host, 'status': 'SHUTOFF',
                   'OS-EXT-STS:task_state': None,
                   'OS-EXT-STS:power_state': 4},
        'domains': {SOURCE: view.ABSENT, DESTINATION: view.ABSENT} | {
            host: view.SHUT_OFF},
        'processes': {}} | changes)


def deleted(**changes) -> Final:
    """The records of a server that is gone, and nothing is left of it."""
    return final(**{
        'server': None, 'migration': {'status': 'error'}, 'allocations': {},
        'domains': {SOURCE: view.ABSENT, DESTINATION: view.ABSENT},
        'processes': {}, 'disks': [], 'bindings': {}} | changes)


def observation(the_case: Case | None = None, moments=(), **changes):
    """A case from 100 s to 120 s, in which the guest was heard each second.

    :param moments: of the heartbeats, instead
    """
    the_case = the_case or case()
    fields = {
        'requested': 100.0, 'ended': 120.0, 'settled': 118.0,
        'injections': [Injection(step.fault, 105.0, True, end=110.0)
                       for step in the_case.steps],
        'samples': [record.Sample(moment, number) for number, moment in
                    enumerate(moments or range(95, 121))],
        'final': final(),
    }
    return Observation(the_case, 1, SOURCE, DESTINATION, 'uuid',
                       **fields | changes)
