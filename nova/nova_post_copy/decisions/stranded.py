# SPDX-License-Identifier: Apache-2.0

"""What to do with a guest that libvirt has forgotten between the hosts.

A pure decision: no libvirt, no clock, no log. The guest is paused on the
source, as a migration leaves it at its end, but there is no job any more:
libvirtd was restarted at that moment. Only the destination can say whether the
guest has started there.

Here a copy may be *started*, so the proof has to be the strongest. A domain
that is absent once proves nothing: libvirt may have answered before it had
read its domains, or another host may have answered for the destination.
"""

import enum
import typing

from nova.i18n import _

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition

# How often, and for how many seconds, the destination must have given the same
# answer before it counts as a proof that the guest is not there.
SURE_TIMES = 4
SURE_FOR_S = 30.0


class Action(enum.Enum):
    WAIT = 'wait'
    STOP = 'stop'               #: remove the paused copy on the source
    START = 'start'             #: let the copy on the source continue
    GIVE_UP = 'give up'         #: neither copy can be trusted


class Decision(typing.NamedTuple):
    action: Action
    reason: str


class Situation(typing.NamedTuple):
    """What is known of the other half of the guest."""

    #: the destination's last answer; None: it did not answer
    destination: Condition | None
    times: int                  #: how often in a row it has answered that
    seconds: float              #: from the first of these answers to the last
    #: the switch to post-copy was ever saved, or its effect seen
    switched: bool
    #: Nova's database says that the migration is over; None: no answer
    over: bool | None


def decide(situation: Situation) -> Decision:
    """Decide which copy, if any, may be stopped or started."""
    there = situation.destination
    if there is Condition.RUNNING:
        return Decision(Action.STOP, _(
            'the server runs on the destination with all of its memory'))
    if (there not in (*condition.GONE, *condition.SHUT_DOWN) or
            not _is_sure(situation)):
        return Decision(Action.WAIT, _(
            'the destination has not said clearly enough whether the server '
            'runs there'))
    if there in condition.SHUT_DOWN:
        return Decision(Action.STOP, _(
            'the server ran on the destination and was shut down there'))
    if situation.switched:
        return Decision(Action.GIVE_UP, _(
            'QEMU on the destination has exited after the switch to '
            'post-copy'))
    if there is not Condition.ABSENT:
        return Decision(Action.GIVE_UP, _(
            'the server has left its host, and QEMU on the destination has '
            'exited'))
    if situation.over is None:
        return Decision(Action.WAIT, _(
            'the database does not answer, and Nova may know of another copy'))
    if situation.over:
        return Decision(Action.GIVE_UP, _(
            'an operator has given the live migration up'))
    return Decision(Action.START, _(
        'the server never reached the destination'))


def _is_sure(situation: Situation) -> bool:
    return (situation.times >= SURE_TIMES and
            situation.seconds >= SURE_FOR_S)
