# SPDX-License-Identifier: Apache-2.0

"""Draw a case: which fault, at which moment, and what that has to end in."""

import random

from lab.faults.case import Case
from lab.faults.case import End
from lab.faults.case import Fault
from lab.faults.case import NETWORK
from lab.faults.case import Phase
from lab.faults.case import Step
from lab.faults import switch

# Seconds that a fault of this kind may last; None: there is nothing to heal.
_SECONDS = {
    'cut': (1.0, 20.0),
    'break': (1.0, 20.0),
    'reset': (1.0, 20.0),
    'drop': (1.0, 20.0),
    'libvirt abort': None,
    'kill nova-compute': (0.0, 8.0),
    'restart nova-compute': (0.0, 0.0),
    'restart libvirtd': None,
    'kill QEMU': None,
    'kill conductor': (0.0, 5.0),
    'stop RabbitMQ': (0.0, 5.0),
    'stop database': (5.0, 20.0),
    'kill placement': (5.0, 15.0),
}
_SIDED = ('kill nova-compute', 'restart nova-compute', 'restart libvirtd',
          'kill QEMU')
_PHASES = (Phase.BEFORE, Phase.PRE_COPY, Phase.SWITCH, Phase.POST_COPY,
           Phase.AFTER)
# Of the cases, as many are about the switch alone.
_SWITCH_SHARE = 0.2
# In which the streams between the hosts are open.
_STREAMS = (Phase.PRE_COPY, Phase.SWITCH, Phase.POST_COPY)


def draw(seed: int, number: int) -> Case:
    """Return one case of a randomised run; always the same one."""
    dice = random.Random('%d %d' % (seed, number))
    if dice.random() < _SWITCH_SHARE:
        return switch.draw(dice, 'random-%d-%d' % (seed, number))
    kind = dice.choice(list(_SECONDS))
    where = dice.choice(('source', 'destination')) if kind in _SIDED else ''
    span = _SECONDS[kind]
    fault = Fault(kind, where, None if span is None else
                  round(dice.uniform(*span), 1))
    phase = dice.choice(_phases(kind))
    steps = [Step(phase, fault)]
    if phase is Phase.POST_COPY and kind in NETWORK and kind != 'cut' and (
            dice.random() < 0.5):
        # Something else goes wrong while the migration recovers.
        steps.append(Step(Phase.RECOVERY, Fault(
            'kill nova-compute', dice.choice(('source', 'destination')),
            round(dice.uniform(0, 5), 1))))
    return Case(
        'random-%d-%d' % (seed, number),
        '; '.join('%s in the phase %s' % (step.fault, step.phase.value)
                  for step in steps),
        tuple(steps), expected(fault, phase), limit=90)


def _phases(kind: str) -> tuple[Phase, ...]:
    if kind in ('libvirt abort', 'kill QEMU'):
        # At the switch it is not known which QEMU has the guest, and in
        # pre-copy the one on the source is the server.
        return (Phase.POST_COPY,)
    if kind in ('restart libvirtd', *NETWORK):
        return _STREAMS
    return _PHASES


def expected(fault: Fault, phase: Phase) -> End:
    """Say how a migration has to end that meets this fault."""
    before_switch = phase in (Phase.REQUEST, Phase.BEFORE, Phase.PRE_COPY,
                              Phase.SWITCH)
    if fault.kind == 'kill QEMU':
        return End.LOST
    # Streams that break before the destination has the state of the devices
    # cannot be repaired by anyone.
    if phase is Phase.SWITCH and fault.kind in (
            'break', 'reset', 'restart libvirtd'):
        return End.ANY
    # Pre-copy may be given up by libvirt, or by Nova's own first steps; that
    # Nova only looks on does not end it.
    if before_switch and (fault.kind in (*NETWORK, 'restart libvirtd')
                          or phase in (Phase.REQUEST, Phase.BEFORE)):
        return End.EITHER
    return End.COMPLETED
