# SPDX-License-Identifier: Apache-2.0

"""A case: which faults, at which moments, and the end that it must have."""

import dataclasses
import enum


class Phase(enum.Enum):
    """The phases of a migration, in their order. A fault waits for one."""

    IDLE = 'idle'               #: before it is asked for
    REQUEST = 'request'         #: accepted by the API; the conductor's part
    BEFORE = 'before'           #: nova-compute has it, libvirt not yet
    PRE_COPY = 'pre-copy'
    SWITCH = 'switch'           #: around the switch to post-copy
    FORCED = 'forced'           #: once a user has asked for the switch
    POST_COPY = 'post-copy'
    RECOVERY = 'recovery'       #: the stream is broken
    AFTER = 'after'             #: libvirt is done, Nova is not


class End(enum.Enum):
    """How a migration has to end."""

    COMPLETED = 'completed'     #: ACTIVE on the destination
    STAYED = 'stayed'           #: ACTIVE on the source
    EITHER = 'either'           #: one of the two, and all records agree
    STOPPED = 'stopped'         #: SHUTOFF on the destination
    STAYED_STOPPED = 'stayed, stopped'      #: SHUTOFF on the source
    LOST = 'lost'               #: ERROR on the destination, nothing deleted
    ANY = 'any'                 #: one of these three, and all records agree
    DELETED = 'deleted'         #: no trace of the server is left


# What a firewall does to the packets of all streams between the hosts, or of
# those of libvirt, or of QEMU.
TREATMENTS = ('reset', 'drop', 'lose 10 %', 'lose 30 %', 'lose 60 %')
STREAMS = ('', 'libvirt', 'QEMU')


def filtering(treatment: str, stream: str) -> str:
    """Return the kind of a fault that does so."""
    return treatment + (' of ' + stream if stream else '')


# With which a server has a volume of Cinder.
VOLUMES = ('ceph',)
# Whose injectors keep the hosts from talking to each other.
NETWORK = ('cut', 'break', *(
    filtering(treatment, stream)
    for treatment in TREATMENTS for stream in STREAMS))


@dataclasses.dataclass(frozen=True)
class Fault:
    """One fault, as data.

    :param kind: its name in :data:`lab.faults.injectors.INJECTORS`
    :param where: 'source' or 'destination', where that makes a difference
    :param seconds: until it is healed; None: there is nothing to heal
    :param answer: what a user's request must be: 'refused', 'accepted', or
        None for anything but a failure (5xx)
    :param from_arrival: whether the seconds begin when the guest arrives
    """

    kind: str
    where: str = ''
    seconds: float | None = None
    answer: str | None = None
    from_arrival: bool = False

    def __str__(self) -> str:
        return self.kind + (' on the ' + self.where if self.where else '') + (
            '' if self.seconds is None else
            ' until %g s after the arrival' % self.seconds
            if self.from_arrival else ' for %g s' % self.seconds)

    @property
    def cuts_network(self) -> bool:
        return self.kind in (*NETWORK, 'isolate')


@dataclasses.dataclass(frozen=True)
class Step:
    """One fault, and when.

    :param after: seconds into its phase, at least
    :param jitter: longest random delay (s) on top of that; None: as it is
        for the phase
    """

    phase: Phase
    fault: Fault
    after: float = 0.0
    jitter: float | None = None


@dataclasses.dataclass(frozen=True)
class Case:
    """One migration, and what happens to it.

    :param steps: in order; a step waits for its phase when the one before
        has been injected, not until it is healed
    :param silence: seconds that the guest may be silent on top of the time
        in which the network was cut
    :param limit: seconds from the last fault, or its healing, to the end
    :param restarts: whether the guest is started anew on purpose
    :param container: whether nova-compute has a PID namespace of its own
    :param storage: kinds of storage with which it can be run; (): with each
    """

    name: str
    description: str
    steps: tuple[Step, ...]
    end: End
    silence: float = 5.0
    limit: float = 60.0
    restarts: bool = False
    container: bool = False
    storage: tuple[str, ...] = ()

    def can_use(self, storage: str) -> bool:
        return not self.storage or storage in self.storage

    def waits_for(self, *phases: Phase) -> bool:
        return any(step.phase in phases for step in self.steps)
