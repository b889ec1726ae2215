# SPDX-License-Identifier: Apache-2.0

"""The cases in which somebody asks for something at the wrong time.

Users, operators and their programs ask Nova; a guest powers itself off, or
resets itself.
"""

from lab.faults.case import Case
from lab.faults.case import End
from lab.faults.case import Fault
from lab.faults.case import Phase
from lab.faults.case import Step
from lab.faults.case import VOLUMES
from lab.faults import limits

_PHASES = (Phase.PRE_COPY, Phase.POST_COPY, Phase.RECOVERY)
# Seconds. The requests of a case come one soon after the other.
_SOON_S = 0.5
_BROKEN_S = 40
_SOURCE_DOWN_S = 20


def _broken(phase: Phase) -> tuple[Step, ...]:
    """Return what brings a migration into a phase."""
    return (Step(Phase.POST_COPY, Fault('reset', seconds=_BROKEN_S)),
            ) if phase is Phase.RECOVERY else ()


def _source_down(phase: Phase) -> tuple[Step, ...]:
    return (
        Step(phase, Fault('kill nova-compute', 'source', _SOURCE_DOWN_S)),
        Step(phase, Fault('mark down', 'source', _SOURCE_DOWN_S - 2),
             jitter=0))


def _asked(phase: Phase, *requests: tuple[str, str]) -> tuple[Step, ...]:
    return tuple(Step(phase, Fault(kind, answer=answer), jitter=_SOON_S)
                 for kind, answer in requests)


def cases() -> list[Case]:
    return [*_requests(), *_second_copies(), *_deleted(), *_given_up(),
            *_others(), *_guests()]


def _requests() -> list[Case]:
    def asks(name, end, phase, *requests, **options):
        return Case(
            '%s-%s' % (name, phase.value),
            'a user asks in %s for: %s' % (
                phase.value, ', '.join(kind for kind, _ in requests)),
            tuple(Step(phase, Fault(kind, answer=answer))
                  for kind, answer in requests), end, **options)

    refused = tuple((kind, 'refused') for kind in (
        'pause', 'stop', 'hard reboot', 'resize', 'migrate again',
        'snapshot'))
    return [
        Case('evacuate',
             'nova-compute on the source is dead in post-copy, and the '
             'server is evacuated',
             (Step(Phase.POST_COPY, Fault(
                 'kill nova-compute', 'source', 8)),
              Step(Phase.POST_COPY, Fault('mark down', 'source', 6)),
              Step(Phase.POST_COPY, Fault('evacuate', answer='refused'))),
             End.COMPLETED),
        asks('delete', End.DELETED, Phase.PRE_COPY, ('delete', 'accepted')),
        asks('delete', End.DELETED, Phase.POST_COPY, ('delete', 'accepted')),
        asks('requests', End.COMPLETED, Phase.PRE_COPY, *refused[:3]),
        asks('requests', End.COMPLETED, Phase.POST_COPY, *refused[:3],
             ('abort', 'refused'), ('force complete', 'refused')),
        asks('more-requests', End.COMPLETED, Phase.POST_COPY, *refused[3:]),
        asks('force-complete', End.COMPLETED, Phase.PRE_COPY,
             ('force complete', 'accepted')),
    ]


def _second_copies() -> list[Case]:
    """Whoever resets a state does not get a second copy by it."""
    reset = ('reset state to error', 'accepted')
    evacuations = [(kind, 'refused') for kind in (
        'evacuate', 'evacuate by 2.14', 'evacuate by 2.67')]
    silence = _SOURCE_DOWN_S + limits.COMPUTE_STARTS_S + 5
    return [
        *(Case('evacuate-reset-' + phase.value,
               'nova-compute on the source is dead in %s; a program resets '
               'the state of the server to error, and evacuates it'
               % phase.value,
               (*_broken(phase), *_source_down(phase),
                *_asked(phase, reset, *evacuations)),
               End.COMPLETED, limit=limits.ASKED_AGAIN_S, silence=silence)
          for phase in _PHASES),
        Case('masakari',
             'as Masakari does it: evacuate, reset to error and evacuate, '
             'again and again',
             (*_source_down(Phase.POST_COPY), *_asked(
                 Phase.POST_COPY, *[evacuations[0], reset] * 3,
                 evacuations[0])),
             End.COMPLETED, limit=limits.ASKED_AGAIN_S, silence=silence),
        *(Case('migrate-reset-' + phase.value,
               'in %s the state of the server is reset to active, and it is '
               'migrated without post_copy' % phase.value,
               (*_broken(phase), *_asked(
                   phase, ('reset state', 'accepted'),
                   ('migrate without post_copy', 'refused'))),
               End.COMPLETED)
          for phase in _PHASES),
    ]


def _deleted() -> list[Case]:
    interrupted = Phase.RECOVERY
    return [
        Case('delete-' + interrupted.value,
             'the server is deleted while post-copy is interrupted',
             (*_broken(interrupted),
              *_asked(interrupted, ('delete', 'accepted'))),
             End.DELETED, limit=limits.ASKED_AGAIN_S),
        Case('delete-interrupted-volume',
             'the migration network is cut, and a server with a volume and '
             'its disk in Ceph is deleted while post-copy is interrupted',
             (Step(Phase.POST_COPY, Fault('break', seconds=_BROKEN_S)),
              *_asked(interrupted, ('delete', 'accepted'))),
             End.DELETED, limit=limits.ASKED_AGAIN_S, storage=VOLUMES),
        Case('force-delete-post-copy',
             'the server is deleted by force in post-copy',
             _asked(Phase.POST_COPY, ('force delete', 'accepted')),
             End.DELETED),
        *(Case('delete-source-down-' + phase.value,
               'nova-compute on the source is dead in %s, and the server is '
               'deleted' % phase.value,
               (*_broken(phase), *_source_down(phase), *_asked(
                   phase, ('delete', 'refused'),
                   ('force delete', 'refused'))),
               End.COMPLETED, limit=limits.ASKED_AGAIN_S,
               silence=_SOURCE_DOWN_S + limits.COMPUTE_STARTS_S + 5)
          for phase in _PHASES),
    ]


def _given_up() -> list[Case]:
    return [
        Case('give-up',
             'an operator gives an interrupted migration up',
             (*_broken(Phase.RECOVERY), Step(Phase.RECOVERY, Fault(
                 'give up', 'source', answer='accepted'), jitter=_SOON_S)),
             End.LOST, limit=limits.ASKED_AGAIN_S),
        Case('give-up-refused',
             'an operator gives a migration up that is going on',
             (Step(Phase.POST_COPY, Fault(
                 'give up', 'source', answer='refused'), jitter=_SOON_S),),
             End.COMPLETED),
    ]


def _others() -> list[Case]:
    return [
        Case('slot',
             'post-copy is interrupted, and another server leaves the host; '
             '[DEFAULT] max_concurrent_live_migrations is 1',
             (*_broken(Phase.RECOVERY), Step(Phase.RECOVERY, Fault(
                 'another server leaves', 'source', _BROKEN_S,
                 answer='accepted'), jitter=_SOON_S)),
             End.COMPLETED, limit=limits.ASKED_AGAIN_S),
    ]


def _guests() -> list[Case]:
    """What a guest does of its own accord."""
    def does(what, kind, phase, end, **options):
        quiet = (Step(Phase.POST_COPY, Fault('quiet guest'), jitter=1.0),
                 ) if phase is Phase.RECOVERY else ()
        return Case(
            '%s-%s' % (kind.replace(' ', '-'), phase.value),
            'the guest %s in %s' % (what, phase.value),
            (*quiet, *_broken(phase), Step(phase, Fault(kind), jitter=1.0)),
            end, limit=limits.ASKED_AGAIN_S, **options)

    return [
        *(does('powers itself off', 'power off guest', phase, end)
          for phase, end in ((Phase.PRE_COPY, End.STAYED_STOPPED),
                             (Phase.POST_COPY, End.STOPPED),
                             (Phase.RECOVERY, End.STOPPED))),
        # One that resets itself while its memory is missing hangs for good.
        does('resets itself', 'reset guest', Phase.POST_COPY, End.COMPLETED,
             restarts=True),
    ]
