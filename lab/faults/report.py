# SPDX-License-Identifier: Apache-2.0

"""The table of cases for the reader, and ``faults.json`` for programs.

Cases that were drawn, those around the switch, those on another storage than
each host's own disk, and those against upstream's driver have files of their
own: ``faults-random.json``, ``faults-switch.json``, ``faults-ceph.json``,
``faults-upstream.json``.
"""

from collections.abc import Iterable
from collections.abc import Iterator
from collections.abc import Sequence
import dataclasses
import pathlib

from lab import errors
from lab.faults.observation import Observation
from lab.faults import verdict
from lab import output

_HEADS = ('case', 'seed', 'blackout', 'beyond cut', 'recovery',
          'final records', 'verdict')


@dataclasses.dataclass
class Result:
    observation: Observation
    violations: list[str]

    @property
    def is_missed(self) -> bool:
        """Whether nothing is wrong but the moment of a fault."""
        return bool(self.violations) and (
            self.violations == verdict.judge_moments(self.observation))

    @property
    def verdict(self) -> str:
        return 'ok' if not self.violations else '; '.join(self.violations)


def counted(results: Iterable[Result], count: int) -> Iterator[Result]:
    """Yield the results of cases that were drawn, until there are enough.

    One whose moment was missed is none; another was drawn for it.

    :raises LabError: there are not enough
    """
    wanted = count
    for result in results:
        if result.is_missed:
            continue
        yield result
        wanted -= 1
        if not wanted:
            return
    raise errors.LabError('only %d of %d faults came in the phase that they '
                          'were meant for' % (count - wanted, count))


def table(results: Sequence[Result]) -> str:
    """Lay the results out as text, a line each."""
    return output.columns([_HEADS, *(_row(result) for result in results)])


def _row(result: Result) -> tuple[str, ...]:
    seen = result.observation
    return (seen.case.name, str(seen.seed), seconds(seen.blackout()),
            seconds(seen.blackout_beyond_cuts()), seconds(seen.recovery()),
            seen.final.summary() if seen.final else 'not seen',
            result.verdict)


def seconds(value: float | None) -> str:
    """Say how long, for the reader; None: it is not known."""
    return '-' if value is None else '%.1f s' % value


def name(drawn: str | None, upstream: bool, storage: str = 'local') -> str:
    """Return the name of the file for such cases.

    :param drawn: how, ``random`` or ``switch``; None: they have names
    :param storage: where the disks of servers are
    """
    return 'faults%s%s%s.json' % ('-' + drawn if drawn else '',
                                  '' if storage == 'local' else '-' + storage,
                                  '-upstream' if upstream else '')


def save(results: Sequence[Result], upstream: bool, path: pathlib.Path,
         storage: str = 'local') -> None:
    """Write the file; one that is there is replaced at once."""
    output.save_json(path, {
        'driver': 'upstream' if upstream else 'nova-post-copy',
        'storage': storage,
        'cases': len(results),
        'violated': sum(bool(result.violations) for result in results),
        'results': [_as_json(result) for result in results],
    })


def _as_json(result: Result) -> dict:
    seen = result.observation

    def since(time: float | None) -> float | None:
        return None if time is None else round(time - seen.requested, 3)

    return {
        'case': seen.case.name,
        'description': seen.case.description,
        'seed': seen.seed,
        'slowness': seen.slowness,
        'permitted_silence_seconds': verdict.permitted_silence(seen),
        'expected': seen.case.end.value,
        'violations': result.violations,
        'blackout_seconds': seen.blackout(),
        'blackout_beyond_cuts_seconds': seen.blackout_beyond_cuts(),
        'recovery_seconds': seen.recovery(),
        'settled': since(seen.settled),
        'records': seen.final.summary() if seen.final else None,
        'faults': [{'fault': str(injection.fault),
                    'begin': since(injection.begin),
                    'end': since(injection.end), 'hit': injection.hit,
                    'answer': injection.answer}
                   for injection in seen.injections],
        'final': seen.final and dataclasses.asdict(seen.final),
        'timeline': [[since(entry.time), entry.who, entry.what]
                     for entry in seen.timeline],
    }
