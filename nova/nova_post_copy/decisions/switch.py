# SPDX-License-Identifier: Apache-2.0

"""When to switch a migration from pre-copy to post-copy.

A pure decision: no libvirt, no clock, no log. The monitor calls it at the
boundaries of passes (:mod:`.passes`) and carries out the answer.

A pre-copy pass costs time, and saves some of the memory that is left for
post-copy, during which the guest is degraded. The decision compares seconds:
those until memory is complete, plus ``weight`` times those during which the
guest is degraded. See :doc:`switching` in the documentation for the evidence.
"""

import enum
import typing

from nova.i18n import _

from nova_post_copy.decisions import workload

# Passes to look ahead. What takes more is not worth waiting for.
HORIZON_PASSES = 30
# Seconds for which the remaining memory may fit the allowed downtime without
# QEMU ending pre-copy: QEMU measures the bandwidth itself, and may be right.
FITTING_S = 3.0
# The remaining memory must be expected to be smaller than what fits by this
# factor, because the momentary bandwidth fluctuates.
MARGIN_FACTOR = 1.1
# Seconds of degradation that every switch costs, however little is left.
OVERHEAD_S = 0.1

_MIB = 1 << 20


class Action(enum.Enum):
    GO_ON = 'go on'
    SWITCH = 'switch'
    STOP = 'stop'


class Policy(enum.Enum):
    """What ``[post_copy] switch_policy`` may say."""

    AUTO = 'auto'               #: once another pass costs more than it saves
    FIRST_PASS = 'first-pass'   #: after one complete pass
    MANUAL = 'manual'           #: when a user forces it, or after a timeout


class Decision(typing.NamedTuple):
    action: Action
    reason: str     #: for the log and the instance action


class Settings(typing.NamedTuple):
    """Settings of the operator."""

    policy: Policy
    weight: float           #: of one second in which the guest is degraded
    downtime: float         #: allowed downtime in seconds
    timeout: float          #: seconds that pre-copy may take; 0: no limit
    abort: bool             #: abort after the timeout, instead of switching


class Stage(enum.Enum):
    """How far pre-copy has got."""

    BEFORE = 'before'           #: memory is not being copied yet
    FIRST_PASS = 'first pass'   #: the first pass is not complete
    LATER = 'later'


class Progress(typing.NamedTuple):
    """Progress of a migration."""

    stage: Stage
    remaining: float    #: bytes of memory that this pass still has to send
    sent: float         #: bytes that this pass has sent
    bandwidth: float    #: bytes per second
    elapsed: float      #: seconds since QEMU began to copy memory
    unwatched: float    #: share of a pass (:class:`.passes.Span`)
    page_size: int      #: bytes that one missing page needs on the network
    #: seconds for which the remaining memory has fitted the allowed downtime
    #: at each boundary, up to the last one; None: then it did not
    fitting: float | None
    guest: workload.Workload


class _Course(typing.NamedTuple):
    """Expected outcome of switching after a number of passes."""

    passes: int         #: of pre-copy from now on
    seconds: float      #: until the memory is complete
    degraded: float     #: seconds of these in post-copy
    left: float         #: bytes left for post-copy

    def cost(self, weight: float) -> float:
        return self.seconds + weight * self.degraded


def decide(progress: Progress, settings: Settings,
           forced: bool) -> Decision:
    """Decide whether to continue pre-copy, switch or stop.

    :param forced: a user has forced the migration to complete
    """
    if progress.stage is Stage.BEFORE:
        # Disks are copied first, and QEMU cannot switch before it copies
        # memory.
        return Decision(Action.GO_ON, _('memory is not being copied yet'))
    if forced:
        return Decision(Action.SWITCH, _('a user forced the switch'))
    if settings.timeout and progress.elapsed > settings.timeout:
        return Decision(
            Action.STOP if settings.abort and settings.policy is Policy.MANUAL
            else Action.SWITCH,
            _('pre-copy timed out after %d s') % settings.timeout)
    if settings.policy is Policy.MANUAL:
        return Decision(Action.GO_ON, _(
            'waiting for a user to force the switch, because [post_copy] '
            'switch_policy is manual'))
    if not progress.bandwidth:
        return Decision(Action.GO_ON, _('the bandwidth is not known yet'))
    if progress.stage is Stage.FIRST_PASS:
        if settings.policy is Policy.FIRST_PASS or not progress.guest.known:
            return Decision(Action.GO_ON, _('the first pass is not complete'))
    elif progress.fitting is not None:
        words = {'left': progress.remaining / _MIB,
                 'downtime': settings.downtime * 1000,
                 'seconds': progress.fitting}
        if not fits_for_too_long(progress):
            return Decision(Action.GO_ON, _(
                'the remaining %(left)d MiB fit the allowed downtime of '
                '%(downtime)d ms') % words)
        return Decision(Action.SWITCH, _(
            'the remaining %(left)d MiB have fitted the allowed downtime of '
            '%(downtime)d ms for %(seconds).1f s, but QEMU continues') % words)
    elif not progress.guest.known:
        # nova-compute was restarted in the middle of a pass.
        return Decision(Action.GO_ON,
                        _('no complete pass has been observed yet'))
    elif settings.policy is Policy.FIRST_PASS:
        return Decision(Action.SWITCH, _(
            'the first pass is complete, and the remaining %(left)d MiB do '
            'not fit the allowed downtime of %(downtime)d ms') % {
                'left': progress.remaining / _MIB,
                'downtime': settings.downtime * 1000})
    return _weigh(progress, settings)


def fits_for_too_long(progress: Progress) -> bool:
    """Tell whether QEMU should have ended pre-copy by now."""
    return progress.fitting is not None and progress.fitting > FITTING_S


def _weigh(progress: Progress, settings: Settings) -> Decision:
    """Compare a switch now with a switch after one or more passes."""
    now = _switch_now(progress)
    page = progress.page_size / progress.bandwidth
    # A guest that waits longer for each page than for a whole switch is worse
    # off than one that is only slow.
    weight = settings.weight * max(1.0, page / settings.downtime)
    best = min(_more_passes(progress, settings),
               key=lambda course: course.cost(weight))
    words = {
        'left': now.left / _MIB, 'degraded': now.degraded,
        'passes': best.passes, 'then': best.left / _MIB,
        'longer': best.seconds - now.seconds,
        'page': progress.page_size / _MIB, 'stall': page}
    if best.cost(weight) < now.cost(weight):
        if not best.degraded:
            reason = _('pre-copy is expected to end by itself (passes to go: '
                       '%(passes)d)')
        else:
            reason = _('pre-copy is expected to leave %(then)d MiB instead of '
                       '%(left)d MiB for post-copy (passes to go: '
                       '%(passes)d)')
        return Decision(Action.GO_ON, reason % words)
    reason = _('%(left)d MiB for post-copy take %(degraded).1f s; another '
               'pass would leave %(then)d MiB and take %(longer).1f s more')
    if page > settings.downtime:
        reason += _('; each missing page of %(page)d MiB will keep the guest '
                    'waiting for %(stall).1f s')
    return Decision(Action.SWITCH, reason % words)


def _switch_now(progress: Progress) -> _Course:
    """Return what to expect of a switch now.

    Pages that this pass has already sent, and the guest has dirtied since, are
    left for post-copy too.
    """
    again = 0.0
    if progress.sent:
        seconds = progress.sent / progress.bandwidth
        again = (progress.guest.dirtied(seconds * (1 - progress.unwatched)) *
                 progress.sent / max(progress.guest.memory, progress.sent))
    left = progress.remaining + again
    seconds = left / progress.bandwidth
    return _Course(0, seconds, seconds + OVERHEAD_S, left)


def _more_passes(progress: Progress,
                 settings: Settings) -> typing.Iterator[_Course]:
    """Yield what to expect of one more pass, two more passes, ..."""
    remaining, elapsed = progress.remaining, 0.0
    whole = progress.remaining + progress.sent
    for passes in range(1, HORIZON_PASSES + 1):
        elapsed += remaining / progress.bandwidth
        watched = 1 - progress.unwatched * min(
            whole / max(progress.guest.memory, 1), 1.0)
        # At least one page, otherwise a pass would take no time.
        remaining = whole = max(progress.guest.dirtied(
            whole / progress.bandwidth * watched), progress.page_size)
        length = remaining / progress.bandwidth
        ends = (remaining * MARGIN_FACTOR <=
                progress.bandwidth * settings.downtime)
        yield _Course(passes, elapsed + length,
                      0.0 if ends else length + OVERHEAD_S, remaining)
        if ends:
            return
