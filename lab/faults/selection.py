# SPDX-License-Identifier: Apache-2.0

"""Which of the cases that have a name are run. Pure."""

from collections.abc import Sequence

from lab import errors
from lab.faults.case import Case
from lab.faults import matrix


def listed() -> list[tuple[str, str]]:
    """Return name and description of each case."""
    return [(case.name, '%s: %s%s' % (
        case.description, case.end.value,
        ' (with --storage %s)' % _needed(case) if case.storage else ''))
        for case in matrix.CASES.values()]


def select(names: Sequence[str] | None, storage: str) -> list[Case]:
    """Return the cases of these names; without any, all that can be run.

    :param storage: where the disks of servers are, one of
        :data:`lab.cloud.storage.KINDS`
    :raises LabError: one of these names needs another storage
    """
    if not names:
        return [case for case in matrix.CASES.values()
                if case.can_use(storage)]
    for name in names:
        if not (case := matrix.CASES[name]).can_use(storage):
            raise errors.LabError(
                'the case %s needs --storage %s, and not %s' % (
                    name, _needed(case), storage))
    return [matrix.CASES[name] for name in names]


def _needed(case: Case) -> str:
    return ' or '.join(case.storage)
