# SPDX-License-Identifier: Apache-2.0

"""Compare what was seen with the invariant. Pure: reads nothing.

Each function returns violations: sentences for the person who has to find
out why, an empty list when there are none.
"""

from lab.faults.case import End
from lab.faults.observation import Final
from lab.faults.observation import Injection
from lab.faults.observation import Observation
from lab.faults import storage_verdict
from lab.faults import view
from lab.instruments import last_step

# Nova's power_state.
_POWER_RUNNING = 1
_POWER_SHUTDOWN = 4
_STOPPED = (End.STOPPED, End.STAYED_STOPPED)
# How many times longer a silence may be on a slow machine, at most: what is
# permitted without an end claims nothing.
_SLOWEST_FACTOR = 4.0


def judge(observation: Observation) -> list[str]:
    """Judge a whole case.

    Of one whose moment was missed, which end is right is not known; but it has
    to be one.
    """
    if missed := judge_moments(observation):
        return [*missed, *_judge_copies(observation),
                *_judge_errors(observation), *_judge_any_end(observation)]
    return [*judge_way(observation), *judge_end(observation)]


def judge_moments(observation: Observation) -> list[str]:
    """Say which faults came at another moment than they were meant for."""
    return ['the moment for "%s" was missed' % injection.fault
            for injection in observation.missed()]


def judge_way(observation: Observation) -> list[str]:
    """Judge what happened until the end."""
    violations = [*_judge_copies(observation), *_judge_shown(observation)]
    if observation.setbacks and not observation.case.restarts:
        violations.append('the guest went back in its work: it was started '
                          'anew, or ran twice')
    violations += _judge_silence(observation)
    violations += _judge_errors(observation)
    for injection in observation.injections:
        violations += _judge_injection(injection)
    violations += ['%s has ended and was not to' % name
                   for name in observation.missing]
    return violations


def _judge_copies(observation: Observation) -> list[str]:
    violations = ['two copies were running: ' + moment
                  for moment in observation.twice]
    violations += ['removed too soon: ' + image
                   for image in observation.removed]
    if observation.wrong_pages:
        violations.append('%d pages were not what the guest had written'
                          % observation.wrong_pages)
    return violations


def _judge_shown(observation: Observation) -> list[str]:
    """A server that runs is not in ERROR, unless a user says so."""
    if _may_be_lost(observation) or 'ERROR' not in observation.shown or any(
            injection.fault.kind == 'reset state to error'
            for injection in observation.injections):
        return []
    return ['Nova has shown the server in ERROR']


def _may_be_lost(observation: Observation) -> bool:
    end = observation.case.end
    return end is End.LOST or end is End.ANY and bool(
        observation.final
        and _reached(observation.final, End.ANY) is End.LOST)


def permitted_silence(observation: Observation) -> float:
    """Return how long (s) a guest may be silent beyond the cuts."""
    return observation.case.silence * min(
        observation.slowness, _SLOWEST_FACTOR)


def _judge_silence(observation: Observation) -> list[str]:
    if observation.case.end in (*_STOPPED, End.DELETED) or (
            observation.case.restarts or _may_be_lost(observation)):
        return []
    beyond = observation.blackout_beyond_cuts()
    if beyond is None:
        return ['the guest was never heard']
    if beyond > permitted_silence(observation):
        return ['the guest was silent for %.1f s, %.1f s more than the '
                'network was cut' % (observation.blackout(), beyond)]
    return []


def _judge_errors(observation: Observation) -> list[str]:
    """No request is answered by an error of Nova's own."""
    return ['"%s" was answered with %d: %s' % (injection.fault, *answer)
            for injection in observation.injections
            if (answer := injection.answer) and answer[0] >= 500]


def _judge_injection(injection: Injection) -> list[str]:
    if injection.answer is None or injection.answer[0] >= 500:
        return []
    code, text = injection.answer
    answer = 'refused' if code >= 400 else 'accepted'
    if injection.fault.answer not in (None, answer):
        return ['"%s" was %s (%d %s)' % (
            injection.fault, answer, code, text)]
    return []


def judge_end(observation: Observation) -> list[str]:
    """Judge hosts and records as they are in the end."""
    return _judge_end(observation, observation.case.end)


def _judge_any_end(observation: Observation) -> list[str]:
    """Say what is wrong with the end that comes nearest to what is seen."""
    return min((_judge_end(observation, end) for end in End
                if end not in (End.EITHER, End.ANY)), key=len)


def _judge_end(observation: Observation, end: End) -> list[str]:
    final = observation.final
    if final is None:
        return ['the end was not seen']
    if end is End.DELETED:
        return _judge_deleted(final)
    if final.server is None:
        return ['Nova has no such server']
    if end in (End.EITHER, End.ANY):
        end = _reached(final, end)
    if end in (End.STAYED, End.STAYED_STOPPED):
        here, there = observation.source, observation.destination
    else:
        here, there = observation.destination, observation.source
    violations = _judge_records(final, end, here)
    if end in _STOPPED:
        violations += _judge_stopped(final, here, there)
    elif end is End.LOST:
        violations += _judge_lost(final, here, there)
    else:
        violations += _judge_hosts(final, here, there)
    return violations + storage_verdict.judge(final, end, here)


def _reached(final: Final, allowed: End) -> End:
    """Say which end it is, by Nova's records; whether it is right, is open.

    :param allowed: EITHER or ANY
    """
    if (final.migration or {}).get('status') == 'completed':
        return End.COMPLETED
    if allowed is End.ANY and final.server and (
            final.server['status'] == 'ERROR'):
        return End.LOST
    return End.STAYED


def _judge_records(final: Final, end: End, here: str) -> list[str]:
    """Nova's records, placement and neutron name the right host."""
    status = ('ERROR' if end is End.LOST else
              'SHUTOFF' if end in _STOPPED else 'ACTIVE')
    seen = (final.server['OS-EXT-SRV-ATTR:host'], final.server['status'],
            final.server['OS-EXT-STS:task_state'])
    violations = []
    if seen != (here, status, None):
        violations.append(
            'Nova has the server as %s on %s, task state %s; not as %s on %s'
            % (seen[1], seen[0], seen[2], status, here))
    power_state = final.server['OS-EXT-STS:power_state']
    if end is not End.LOST and power_state != (
            _POWER_SHUTDOWN if end in _STOPPED else _POWER_RUNNING):
        violations.append('Nova has the power state %s' % power_state)
    migration = (final.migration or {}).get('status')
    if migration not in {
            End.COMPLETED: ('completed',), End.STOPPED: ('completed',),
            End.LOST: ('error',)}.get(end, ('error', 'cancelled')):
        violations.append('Nova has the migration as %s' % migration)
    if list(final.allocations) != [here]:
        violations.append('the server has resources of %s, not of %s' % (
            ' and '.join(final.allocations) or 'no host', here))
    if final.migration_allocations:
        violations.append('the migration still has resources of '
                          + ' and '.join(final.migration_allocations))
    if final.bindings is not None and final.bindings != {here: 'ACTIVE'}:
        violations.append('the port is bound %s' % final.bindings)
    if final.durable:
        violations.append('there still is a durable record on '
                          + ' and '.join(final.durable))
    return violations


def _judge_hosts(final: Final, here: str, there: str) -> list[str]:
    """The only copy runs here, and nothing is left there."""
    violations = []
    if final.processes != {here: 1}:
        violations.append('QEMU processes: %s' % final.processes)
    if final.domains[here] != view.RUNNING:
        violations.append('the domain on %s is %s' % (
            here, final.domains[here]))
    return violations + _judge_rest(final, here, there)


def _judge_rest(final: Final, here: str, there: str) -> list[str]:
    violations = []
    if final.domains[there] != view.ABSENT:
        violations.append('the domain on %s is %s' % (
            there, final.domains[there]))
    if final.disks != (sorted(final.domains) if final.shared else [here]):
        violations.append('disks are on %s' % (
            ' and '.join(final.disks) or 'no host'))
    return violations


def _judge_stopped(final: Final, here: str, there: str) -> list[str]:
    """The only copy is shut off here, and nothing is left there."""
    violations = []
    if final.processes:
        violations.append('QEMU processes: %s' % final.processes)
    if not final.domains[here].startswith((view.SHUT_OFF, view.ABSENT)):
        violations.append('the domain on %s is %s' % (
            here, final.domains[here]))
    return violations + _judge_rest(final, here, there)


def _judge_lost(final: Final, here: str, there: str) -> list[str]:
    """It is said why, nothing was started, nothing was deleted."""
    violations = []
    if not final.server.get('fault', {}).get('message'):
        violations.append('Nova does not say why the server is in ERROR')
    if final.domains[there].startswith(view.RUNNING):
        violations.append('the domain on %s is %s' % (
            there, final.domains[there]))
    if final.domains[there] == view.ABSENT:
        violations.append('the domain on %s was removed' % there)
    if here not in final.disks:
        violations.append('the disk on %s was removed' % here)
    return violations


def _judge_deleted(final: Final) -> list[str]:
    violations = []
    if final.server is not None:
        violations.append('Nova still has the server')
    status = (final.migration or {}).get('status')
    if status not in (None, *last_step.ENDED):
        violations.append('Nova has the migration as %s' % status)
    left = {
        'domains': [host for host, state in final.domains.items()
                    if state != view.ABSENT],
        'QEMU processes': list(final.processes),
        'disks': final.disks,
        'durable records': final.durable,
        'resources of the server': list(final.allocations),
        'resources of the migration': list(final.migration_allocations),
        'port bindings': list(final.bindings or ()),
    }
    violations += ['%s are left on %s' % (what, ' and '.join(hosts))
                   for what, hosts in left.items() if hosts]
    return violations + storage_verdict.judge_deleted(final)
