# SPDX-License-Identifier: Apache-2.0

"""Faults of the network around the moment of the switch.

The switch is asked for by a user, so that its moment is known: nova-compute
calls libvirt some tenths of a second later, and QEMU stops the guest some
tenths after that. From a second before the request to a second after the
event there are :data:`MOMENTS`; at each of them a firewall treats the packets
of one stream, or of all, for 0.1 to 30 s.
"""

import math
import random

from lab.faults import case as faults
from lab.faults.case import Case
from lab.faults.case import End
from lab.faults.case import Fault
from lab.faults.case import Phase
from lab.faults.case import Step

COUNT = 20
# Seconds after the request.
MOMENTS = tuple(round(-1.0 + 0.15 * number, 2) for number in range(COUNT))
KINDS = tuple(faults.filtering(treatment, stream)
              for stream in faults.STREAMS for treatment in faults.TREATMENTS)
_SECONDS = (0.1, 30.0)
# Seconds into pre-copy, so that there is time for what comes before.
_BEGUN_S = 1.0
# libvirt's own keepalive ends what was silent for so long (25 s and more).
_KEEPALIVE_S = 20.0


def cases(seed: int) -> list[Case]:
    """Return a case for each moment; always the same ones for a seed."""
    dice = random.Random('switch %d' % seed)
    kinds = [*KINDS, *KINDS]
    dice.shuffle(kinds)
    return [make('switch-%02d' % number, kind, _draw_seconds(dice), moment)
            for number, (kind, moment) in enumerate(zip(kinds, MOMENTS))]


def draw(dice: random.Random, name: str) -> Case:
    return make(name, dice.choice(KINDS), _draw_seconds(dice),
                dice.choice(MOMENTS))


def make(name: str, kind: str, seconds: float, moment: float) -> Case:
    """Return a case.

    :param moment: of the fault, seconds after the request
    """
    fault = Fault(kind, seconds=seconds)
    ask = Fault('force complete', answer='accepted')
    if moment < 0:
        steps = (Step(Phase.PRE_COPY, fault, _BEGUN_S, jitter=0),
                 Step(Phase.FORCED, ask, -moment))
    else:
        steps = (Step(Phase.PRE_COPY, ask, _BEGUN_S, jitter=0),
                 Step(Phase.FORCED, fault, moment))
    return Case(
        name, '%s, %.2f s %s the switch is asked for' % (
            fault, abs(moment), 'before' if moment < 0 else 'after'),
        steps, expected(fault),
        # TCP waits as long again as the network was away, at most.
        silence=5 + seconds, limit=120)


def expected(fault: Fault) -> End:
    """Say how a migration has to end that meets this fault."""
    # Streams that break before the destination has the state of the devices
    # cannot be repaired by anyone.
    if fault.kind.startswith('reset') or fault.seconds >= _KEEPALIVE_S:
        return End.ANY
    return End.EITHER


def _draw_seconds(dice: random.Random) -> float:
    """As often short as long."""
    return round(math.exp(dice.uniform(*map(math.log, _SECONDS))), 1)
