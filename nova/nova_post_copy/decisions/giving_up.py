# SPDX-License-Identifier: Apache-2.0

"""Decide what an operator may give up, and what remains of the server then.

Giving up means: a host does not come back with what it has of the server. Only
a person can know that. What can be known without one is checked here.
"""

import enum
from typing import NamedTuple

from nova.i18n import _

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition

# The destination has nothing of the guest.
_NOTHING = (Condition.MIGRATED, Condition.SHUTOFF, Condition.ABSENT)


class Situation(NamedTuple):
    source: str                 #: name of the host
    destination: str
    given_up: frozenset[str]    #: the hosts that the operator names
    switched: bool              #: in post-copy, by the migration's status
    interrupted: bool           #: likewise: its stream is broken
    source_is_up: bool          #: nova-compute there
    destination_is_up: bool


class Outcome(enum.Enum):
    ARRIVED = enum.auto()       #: the destination has all of the server
    LOST = enum.auto()          #: it has all but a part of the memory
    STAYS = enum.auto()         #: the source has it, as at any dead host


def refusal(situation: Situation) -> str | None:
    """Return why nothing can be given up; None if it can."""
    strangers = situation.given_up - {situation.source, situation.destination}
    down = {host for host, is_up in (
        (situation.source, situation.source_is_up),
        (situation.destination, situation.destination_is_up)) if not is_up}
    reason: str | None = None
    if strangers:
        reason = _('%(strangers)s takes no part in this migration, which is '
                   'from %(source)s to %(destination)s')
    elif not situation.switched and situation.source_is_up:
        reason = _('nova-compute on %(source)s is up, and brings the '
                   'migration to its end. Wait, or abort the migration')
    elif not situation.switched and situation.source not in (
            situation.given_up):
        reason = _('the server has not been switched to post-copy, so only '
                   'its source can be given up, %(source)s')
    elif not down and not situation.interrupted:
        reason = _('the nova-computes of %(source)s and %(destination)s are '
                   'up, and the memory of the server is being copied. A '
                   'stream that breaks becomes "interrupted (post-copy)" '
                   'within seconds')
    elif down and not down & situation.given_up:
        reason = _('the host without nova-compute is %(down)s. Repeat the '
                   'name of the host that does not come back')
    return reason and reason % {
        **situation._asdict(), 'strangers': ', '.join(sorted(strangers)),
        'down': ' and '.join(sorted(down))}


def outcome(situation: Situation,
            destination: Condition | None) -> Outcome | None:
    """Return what remains of the server.

    :param situation: one that is not refused
    :param destination: the condition of the guest there; None: no answer
    :returns: None if only the destination knows, and is not given up, or
        will know soon
    """
    if destination in (Condition.RUNNING, *condition.SHUT_DOWN):
        return Outcome.ARRIVED
    if destination is Condition.MIGRATING:
        # It has not run there, but may do so at any moment.
        return None
    if not situation.switched and destination in condition.HERE:
        # By pre-copy, which leaves nothing behind.
        return Outcome.ARRIVED
    if situation.switched or destination in condition.STARTED:
        return Outcome.LOST
    if destination in _NOTHING or (
            situation.destination in situation.given_up):
        return Outcome.STAYS
    return None
