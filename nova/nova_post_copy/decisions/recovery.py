# SPDX-License-Identifier: Apache-2.0

"""When to resume a post-copy migration whose stream broke.

A pure decision: no libvirt, no clock, no log. The monitor asks it while the
stream is broken and carries out the answer. Nothing is cleaned up
during that time: the guest runs on the destination, and its missing memory
exists on the source only.
"""

import enum
import typing

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition

# Seconds without progress after which a stream is treated as dead. TCP may
# need many minutes to detect that, and as long again once the path is back.
STALLED_AFTER_S = 3.0
# Seconds without progress after which the migration is not switched: the
# network may be down.
STILL_AFTER_S = 0.5
# Failed probes of the first address before the second one is tried, too.
FIRST_ADDRESS_TRIES = 3
# Seconds after a failed resume until the next. A resume that is too early for
# QEMU on the destination does no harm, and a delay prolongs the interruption.
RETRY_AFTER_S = 0.5
# Resumes after which libvirt on the destination has ended that are too many:
# each of them takes the management of all servers of that host down.
MOST_DAEMON_ENDS = 3
# Seconds until the next resume after the first of them, and by how much longer
# after each further one.
DAEMON_END_RETRY_S = 10.0
DAEMON_END_FACTOR = 3.0
# Seconds within which libvirt ends, if a resume ends it. What takes longer is
# the network: libvirt's keepalive needs 25 s at least.
DAEMON_END_WITHIN_S = 10.0
# Seconds without an answer of the destination until that is reported to users.
SILENT_AFTER_S = 60.0


class Action(enum.Enum):
    WAIT = 'wait'
    RESUME = 'resume'
    LET_GO = 'let go'           #: stop the paused copy on the source
    GIVE_UP = 'give up'


class Decision(typing.NamedTuple):
    action: Action
    #: why, for LET_GO and GIVE_UP, and where nothing will be resumed
    reason: str = ''


class Situation(typing.NamedTuple):
    """State of a migration whose stream is broken, as far as known."""

    elapsed: float              #: seconds since it broke
    #: condition of the domain on the destination; None: unknown
    destination: condition.Condition | None
    reachable: bool             #: an address there accepts connections
    since_attempt: float        #: seconds since the last resume failed
    given_up: bool              #: by an operator
    #: a resume has failed since the destination reported its condition
    refused: bool = False
    attempting: bool = False    #: a resume is being tried
    calling: bool = False       #: libvirt's first call has not ended yet
    #: why no broken stream to that host may be resumed; None: it may
    resume_refusal: str | None = None
    #: resumes after which libvirt on the destination has ended
    daemon_ends: int = 0
    #: the last answer of the destination, which it may not have repeated yet
    newest: condition.Condition | None = None


def decide(situation: Situation, timeout: float) -> Decision:
    """Decide what to do next.

    :param timeout: seconds after which to give up, 0 for never
    """
    if situation.destination in condition.SHUT_DOWN:
        if situation.calling:
            # A domain that is stopped before that keeps its job, and libvirt
            # lets nobody undefine it (seen with 9.0). It takes 30 s.
            return Decision(Action.WAIT)
        return Decision(
            Action.LET_GO, 'the server was shut down on the destination, and '
            'needs no memory any more')
    if situation.attempting or situation.newest in condition.SHUT_DOWN:
        # A resume of a QEMU that exits would hang.
        return Decision(Action.WAIT)
    if situation.given_up:
        return Decision(
            Action.GIVE_UP, 'an operator has given the live migration up')
    if situation.destination in condition.GONE:
        return Decision(
            Action.GIVE_UP, 'QEMU on the destination has exited')
    if situation.destination is Condition.RUNNING and situation.refused:
        return Decision(
            Action.LET_GO, 'all memory has arrived on the destination, but '
            'libvirt on this host was not told')
    if timeout and situation.elapsed > timeout:
        return Decision(
            Action.GIVE_UP,
            '[post_copy] recovery_timeout (%d s) has expired' % timeout)
    if situation.resume_refusal is not None:
        return Decision(
            Action.WAIT, 'the stream is left to TCP, which heals it if '
            'anything can: %s' % situation.resume_refusal)
    if situation.daemon_ends >= MOST_DAEMON_ENDS:
        return Decision(
            Action.WAIT, 'libvirt on the destination has ended %d times when '
            'the migration was resumed, which harms all servers of that host. '
            'Nothing is resumed any more. Look into the log of libvirt '
            '(libvirtd or virtqemud) there; to try again, restart '
            'nova-compute on this host' % situation.daemon_ends)
    if situation.reachable and (
            situation.since_attempt >= _retry_after(situation.daemon_ends)):
        return Decision(Action.RESUME)
    return Decision(Action.WAIT)


def _retry_after(daemon_ends: int) -> float:
    if not daemon_ends:
        return RETRY_AFTER_S
    return DAEMON_END_RETRY_S * DAEMON_END_FACTOR ** (daemon_ends - 1)


def addresses_to_try(addresses: list[str], failures: int) -> list[str]:
    """Return the addresses to probe now.

    :param addresses: the migration address, then those to fall back on
    :param failures: how often none of them accepted, or a resume failed
    """
    return addresses if failures >= FIRST_ADDRESS_TRIES else addresses[:1]


class Stream:
    """Detects a stalled stream.

    A pass over memory without dirty pages changes only one of the job's
    statistics, so a change of any of them counts as progress.
    """

    def __init__(self) -> None:
        self._figures: tuple[int, ...] = ()
        self._since: float | None = None

    def look(self, figures: tuple[int, ...], now: float) -> float:
        """Record the statistics of the job.

        :param figures: bytes processed, bytes remaining, ...
        :param now: seconds on a clock that never goes back
        :returns: seconds since they changed
        """
        if self._since is None or figures != self._figures:
            self._figures = figures
            self._since = now
        return now - self._since
