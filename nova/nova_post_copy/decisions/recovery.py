# SPDX-License-Identifier: Apache-2.0

"""When to resume a post-copy migration whose stream broke.

A pure decision: no libvirt, no clock, no log. The monitor asks it while the
stream is broken and carries out the answer. Nothing is ever cleaned up
meanwhile: the guest runs on the destination, and the memory that it lacks
exists on the source only.
"""

import enum
import typing

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition

# Seconds without a byte after which a stream is taken for dead. TCP may need
# many minutes to notice, and for as long again when the path is back.
STALLED_AFTER_S = 3.0
# Seconds without a byte after which nothing is switched over this network.
STILL_AFTER_S = 0.5
# Failed probes of the first address before the second one is tried, too.
FIRST_ADDRESS_TRIES = 3
# Seconds after a failed resume until the next. A resume that came too early
# for the destination's QEMU does no harm, and each second is one of silence.
RETRY_AFTER_S = 0.5
# Seconds until a person is told that the destination does not answer at all.
SILENT_AFTER_S = 60.0


class Action(enum.Enum):
    WAIT = 'wait'
    RESUME = 'resume'
    LET_GO = 'let go'           #: of the source's half, which nobody needs
    GIVE_UP = 'give up'


class Decision(typing.NamedTuple):
    action: Action
    reason: str = ''            #: in words, where we give up


class Situation(typing.NamedTuple):
    """What is known of a migration whose stream is broken."""

    elapsed: float              #: seconds since it broke
    #: what the destination's domain says; None: nothing known
    destination: condition.Condition | None
    reachable: bool             #: an address of the destination accepts
    since_attempt: float        #: seconds since the last resume failed
    decided: bool               #: the server is deleted or its state reset
    #: a resume has failed since the destination said how it is
    refused: bool = False


def decide(situation: Situation, timeout: float) -> Decision:
    """Decide how to go on.

    :param timeout: seconds after which to give up, 0 for never
    """
    if situation.decided:
        return Decision(
            Action.GIVE_UP, 'the state of the server was reset, or the server '
            'is being deleted')
    if situation.destination in condition.GONE:
        return Decision(
            Action.GIVE_UP, 'QEMU on the destination has exited')
    if situation.destination is Condition.RUNNING and situation.refused:
        # All of it had arrived, and the word of that was lost.
        return Decision(Action.LET_GO)
    if timeout and situation.elapsed > timeout:
        return Decision(
            Action.GIVE_UP,
            '[post_copy] recovery_timeout (%d s) has expired' % timeout)
    if situation.reachable and situation.since_attempt >= RETRY_AFTER_S:
        return Decision(Action.RESUME)
    return Decision(Action.WAIT)


def addresses_to_try(addresses: list[str], failures: int) -> list[str]:
    """Choose where to look for the destination.

    :param addresses: the migration address, then those to fall back on
    :param failures: how often none of them accepted, or a resume failed
    """
    return addresses if failures >= FIRST_ADDRESS_TRIES else addresses[:1]


class Stream:
    """Detects a stalled stream.

    Of the job's statistics a pass over memory without dirty pages moves one
    figure only, so any that changes is a sign of life.
    """

    def __init__(self) -> None:
        self._figures: tuple[int, ...] = ()
        self._since: float | None = None

    def look(self, figures: tuple[int, ...], now: float) -> float:
        """Look at the statistics of the job.

        :param figures: bytes processed, bytes remaining, ...
        :param now: seconds on a clock that never goes back
        :returns: seconds since they changed
        """
        if self._since is None or figures != self._figures:
            self._figures = figures
            self._since = now
        return now - self._since
