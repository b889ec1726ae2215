# SPDX-License-Identifier: Apache-2.0

"""When a live migration is over: on the hosts, and in Nova's last step.

No single status says so. Upstream's nova-compute writes, in this order:

* completed: server on the destination, task state None; migration
  ``completed``; the migration's allocations deleted.
* ended after libvirt had begun: a message to the destination to remove what
  it prepared; task state None; migration ``cancelled`` or ``failed``;
  migration ``error``; server ERROR, also where the user has aborted it.
* ended before that: as above, without the last two.

With nova-post-copy the server stays ACTIVE, and ``cancelled`` or ``error`` is
the last status. What is written by the next step may be seconds later, and a
request that comes in between is refused, or meets what is still on the
destination.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
import re
import time
import typing
from typing import Any

from lab import errors
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud

#: what Nova calls a migration that is over, or nearly
ENDED = ('completed', 'cancelled', 'error', 'failed')
LIMIT_S = 60.0
REFUSED_LIMIT_S = 30.0
_REFUSED_INTERVAL_S = 0.5
# What Nova says of a state that another request has made.
_PASSING = re.compile('while it is in (vm_state|task_state)')


def left(server: Mapping[str, Any], migration: Mapping[str, Any],
         migration_allocations: Mapping[str, Any],
         to_error: bool) -> str:
    """Say what is still to come in Nova after a migration; '': nothing.

    :param server: as in GET /servers/{id}
    :param migration: as in GET /os-migrations
    :param migration_allocations: resources of the migration, by host
    :param to_error: whether upstream puts the server into ERROR unless the
        migration is completed
    """
    if migration['status'] not in ENDED:
        return 'the migration is %s' % migration['status']
    task_state = server['OS-EXT-STS:task_state']
    if task_state is not None:
        return 'the task state of the server is %s' % task_state
    if migration_allocations:
        return 'the migration has resources of ' + ' and '.join(
            migration_allocations)
    if to_error and migration['status'] != 'completed' and (
            server['status'] != 'ERROR'):
        return 'the migration is %s, and upstream has not put the server ' \
            'into ERROR' % migration['status']
    return ''


def left_on_hosts(cloud: lab_cloud.Cloud, server: str) -> str:
    """Say what is still to come on the hosts; '': one has the server.

    :param cloud: a :class:`lab.cloud.cloud.Cloud`
    :param server: uuid
    """
    there = [host.name for host in cloud.hosts.values()
             if server in host.domains() or host.disk(server).exists()]
    return '' if len(there) == 1 else (
        'domain or disk of the server on %s' % (
            ' and '.join(there) or 'no host'))


def wait_until_over(cloud: lab_cloud.Cloud, server: str,
                    to_error: bool = False) -> dict[str, Any]:
    """Wait until the newest migration of a server is over.

    :param cloud: a :class:`lab.cloud.cloud.Cloud`
    :param server: uuid
    :param to_error: see :func:`left`
    :returns: the server, as in GET /servers/{id}
    :raises lab.errors.LabError: with what has not come
    """
    shown: dict[str, Any] = {}

    def look() -> str:
        shown.update(cloud.get('compute', '/servers/' + server)['server'])
        found = cloud.get(
            'compute', '/os-migrations?limit=1&instance_uuid=' + server,
            microversion='2.80')['migrations']
        in_nova = left(shown, found[0], cloud.allocations(found[0]['uuid']),
                       to_error) if found else ''
        return in_nova or left_on_hosts(cloud, server)

    until_nothing(look, 'end of the migration of ' + server)
    return shown


def until_nothing(look: Callable[[], str], what: str) -> None:
    """Wait until ``look()`` has nothing to say.

    :raises lab.errors.LabError: with what it said last
    """
    last = ''

    def is_over() -> bool:
        nonlocal last
        last = look()
        return not last

    try:
        wait.until(is_over, what, LIMIT_S, interval=0.2)
    except errors.LabError as exc:
        raise errors.LabError('%s: %s' % (exc, last)) from exc


def accepted(send: Callable[[], Any]) -> Any:
    """Send a request, again while a state that passes has it refused.

    :param send: raises what novaclient, keystoneauth or
        :class:`lab.errors.Refused` make of a 409
    :returns: what ``send()`` does
    """
    end = time.monotonic() + wait.scaled(REFUSED_LIMIT_S)
    while True:
        try:
            return send()
        except Exception as exc:
            if not is_passing(exc) or time.monotonic() > end:
                raise
        time.sleep(_REFUSED_INTERVAL_S)


def is_passing(exc: Exception) -> bool:
    """Whether Nova has refused because of a state that may be another soon."""
    code = getattr(exc, 'http_status', None) or getattr(exc, 'code', None)
    return code == 409 and _PASSING.search(str(exc)) is not None
