# SPDX-License-Identifier: Apache-2.0

"""What a migration looks like at one moment, and which phase that is.

Domain states are written as ``virsh domstate --reason`` writes them.
"""

import dataclasses

from lab.faults.case import Phase
from lab.instruments import last_step

ABSENT = 'no domain'
UNKNOWN = 'unknown'         # libvirt does not answer
RUNNING = 'running'
PAUSED_POST_COPY = 'paused (post-copy)'
PAUSED_POST_COPY_FAILED = 'paused (post-copy failed)'
SHUT_OFF = 'shut off'

_BEFORE = ('queued', 'preparing')

# Seconds: the longest random delay between the begin of a phase and a fault.
JITTER = {
    Phase.IDLE: 0.0,
    Phase.REQUEST: 0.5,
    Phase.BEFORE: 0.1,
    Phase.PRE_COPY: 3.0,
    Phase.SWITCH: 0.6,
    Phase.FORCED: 0.0,
    Phase.POST_COPY: 3.0,
    Phase.RECOVERY: 2.0,
    Phase.AFTER: 0.3,
}


@dataclasses.dataclass(frozen=True)
class View:
    """One moment.

    :param status: of the migration in Nova; None before there is one
    :param source: state of the domain on the source
    :param destination: state of the domain on the destination
    :param iteration: QEMU's count of the passes over memory; 1 is the first
    :param processed: bytes that were copied
    """

    status: str | None = None
    source: str = UNKNOWN
    destination: str = UNKNOWN
    iteration: int = 0
    processed: int = 0

    @property
    def is_final(self) -> bool:
        return self.status in last_step.ENDED


def is_in(phase: Phase, view: View) -> bool:
    """Whether a migration that was asked for is in a phase."""
    runs_on_source = view.source.startswith(RUNNING)
    match phase:
        case Phase.IDLE:
            return True
        case Phase.REQUEST:
            return view.status in (None, 'accepted')
        case Phase.BEFORE:
            return view.status in _BEFORE
        case Phase.PRE_COPY:
            return (runs_on_source and view.processed > 0
                    and not view.is_final)
        case Phase.SWITCH:
            return (runs_on_source and view.iteration > 1
                    or view.source == PAUSED_POST_COPY)
        case Phase.FORCED:
            return not view.is_final
        case Phase.POST_COPY:
            return view.source == PAUSED_POST_COPY
        case Phase.RECOVERY:
            return view.source == PAUSED_POST_COPY_FAILED
        case Phase.AFTER:
            return has_arrived(view) and not view.is_final


def has_arrived(view: View) -> bool:
    """Whether the guest has left the source, or never will."""
    return view.is_final or (view.source.startswith((ABSENT, SHUT_OFF))
                             and view.destination.startswith(RUNNING))


def still_in(phase: Phase, view: View) -> bool:
    """Whether a fault that is injected now has the phase that it waited for.

    The switch is no state but a moment: a fault may come on either side.
    """
    if phase is Phase.SWITCH:
        return not view.is_final
    return is_in(phase, view)
