# SPDX-License-Identifier: Apache-2.0

"""What a request costs at our microversion, beside the same one below it.

The kinds of requests take turns, so that whatever else the machine does hits
them alike. A request to migrate a server to a host that does not exist is
refused with 400 at either version, after everything that the API does before
it changes the server; with ``post_copy`` that includes its questions to a
conductor and to the source.
"""

from __future__ import annotations

import typing

import requests

from lab.bench import evacuation
from lab.bench import modes
from lab.bench import timing
from lab.instruments import last_step
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab.cloud import hosts as lab_hosts
    from lab import progress

BELOW = '2.104'
SERVERS = 8
REQUESTS = 150
_MIGRATE = modes.MODES['pre-copy'].body('nowhere')
_POST_COPY = modes.MODES[modes.OURS].body('nowhere')
# So slow that one migration lasts for as long as it is asked about.
_SLOW_BYTES_PER_S = 10 * layout.MIB
_LIMIT_S = 60.0


def measure(cloud: lab_cloud.Cloud, seed: int, say: progress.Progress) -> dict:
    """Time requests to the API of a lab.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up
    :returns: as it is written in ``bench.json``
    """
    evacuation.prepare(cloud)
    host = layout.HOSTS[0]
    small = [evacuation.boot(cloud, 'api-%d' % number, host.name)
             for number in range(SERVERS)]
    moving, *still = [each.server for each in small]
    for each in small:
        each.fall_silent()
    try:
        _stand_still(cloud.host(host.name), still)
        cloud.host(host.name).limit_migration_network(_SLOW_BYTES_PER_S)
        cloud.nova().servers.live_migrate(moving, None, 'auto')
        wait.until(lambda: cloud.nova().server_migrations.list(moving),
                   'migration that is running', _LIMIT_S)
        timed, pairs = _kinds(cloud, moving, still)
        timed.run(REQUESTS, seed)
        # Then it ends.
        cloud.host(host.name).limit_migration_network(cloud.bandwidth)
        last_step.wait_until_over(cloud, moving.id)
    finally:
        cloud.host(host.name).limit_migration_network(cloud.bandwidth)
        for each in small:
            cloud.delete(each.server)
    found = timing.compared(timed.seconds, pairs)
    for each in found:
        say('  %(request)s: %(ratio).3f' % each)
    return {'below': BELOW, 'ours': modes.MODES[modes.OURS].microversion,
            'servers': SERVERS, 'requests': found}


def _stand_still(host: lab_hosts.Host, servers) -> None:
    """Stop the processors of servers, which Nova goes on to call active.

    They would take the time of what is measured.
    """
    connection = host.connect()
    try:
        for server in servers:
            connection.lookupByUUIDString(server.id).suspend()
    finally:
        connection.close()


def _kinds(cloud: lab_cloud.Cloud, moving, still):
    """Return the kinds of requests, and which of them are compared."""
    ours = modes.MODES[modes.OURS].microversion
    url = cloud.session.get_endpoint(service_type='compute',
                                     region_name=layout.REGION)
    session = requests.Session()
    session.headers.update(cloud.session.get_auth_headers())
    turns = iter(range(10 ** 9))

    def migrate(version: str, body: dict):
        def send() -> None:
            server = still[next(turns) % len(still)]
            answer = session.post(
                '%s/servers/%s/action' % (url, server.id), json=body,
                headers={'OpenStack-API-Version': 'compute ' + version})
            _check(answer, 400)
        return send

    def get(version: str, path: str):
        def send() -> None:
            _check(session.get(
                url + path,
                headers={'OpenStack-API-Version': 'compute ' + version}), 200)
        return send

    kinds, pairs = {}, {}
    for what, ours_, below in (
            ('os-migrateLive', migrate(ours, _MIGRATE),
             migrate(BELOW, _MIGRATE)),
            ('os-migrateLive, post_copy: true', migrate(ours, _POST_COPY),
             None),
            ('GET /servers/{id}/migrations',
             get(ours, '/servers/%s/migrations' % moving.id),
             get(BELOW, '/servers/%s/migrations' % moving.id)),
            ('GET /os-migrations', get(ours, '/os-migrations'),
             get(BELOW, '/os-migrations'))):
        names = ('%s at %s' % (what, ours),
                 '%s at %s' % (what.split(',')[0], BELOW))
        pairs[what] = names
        kinds[names[0]] = ours_
        if below is not None:
            kinds[names[1]] = below
    return timing.Timed(kinds), pairs


def _check(answer: requests.Response, status: int) -> None:
    if answer.status_code != status:
        raise RuntimeError('%s: %d %s' % (
            answer.url, answer.status_code, answer.text))
