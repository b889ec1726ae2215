# SPDX-License-Identifier: Apache-2.0

"""What Cinder and Ceph have to hold of a server in the end. Pure.

Each function returns violations, as those of :mod:`lab.faults.verdict`.
"""

from lab.faults.case import End
from lab.faults.observation import Final

_STOPPED = (End.STOPPED, End.STAYED_STOPPED)


def judge(final: Final, end: End, here: str) -> list[str]:
    """Judge the volumes and images of a server that exists.

    :param end: the one that was reached
    :param here: the host where the server has to be
    """
    violations = []
    if final.images == {}:
        violations.append('the server has no image')
    for volume, seen in final.volumes.items():
        if seen.status != 'in-use':
            violations.append('volume %s is %s' % (
                volume, seen.status or 'gone'))
        # What is lost is held on both hosts until an operator has decided.
        if end is End.LOST:
            if here not in seen.attachments:
                violations.append('volume %s is not attached to %s' % (
                    volume, here))
        elif seen.attachments != [here]:
            violations.append('volume %s is attached to %s' % (
                volume, _hosts(seen.attachments)))
    if end is End.LOST:
        return violations
    wanted = [] if end in _STOPPED else [here]
    return violations + [
        'image %s is open on %s' % (image, _hosts(opened or []))
        for image, opened in _images(final).items() if opened != wanted]


def judge_deleted(final: Final) -> list[str]:
    """Judge the volumes, and what is left, of a server that was deleted."""
    violations = ['image %s is left' % image for image in final.images or ()]
    for volume, seen in final.volumes.items():
        if seen.status not in ('available', None):
            violations.append('volume %s is %s' % (volume, seen.status))
        if seen.attachments:
            violations.append('volume %s is attached to %s' % (
                volume, _hosts(seen.attachments)))
        if seen.opened:
            violations.append('volume %s is open on %s' % (
                volume, _hosts(seen.opened)))
    return violations


def _images(final: Final) -> dict[str, list[str] | None]:
    return (final.images or {}) | {
        volume: seen.opened for volume, seen in final.volumes.items()}


def _hosts(hosts: list[str]) -> str:
    return ' and '.join(host or 'an unknown host'
                        for host in hosts) or 'no host'
