# SPDX-License-Identifier: Apache-2.0

"""What users and operators ask for at the wrong time."""

from __future__ import annotations

import typing

from novaclient import exceptions

if typing.TYPE_CHECKING:
    from lab.cloud import hosts as lab_hosts
    from lab.faults.scene import Scene


def mark_down(scene: Scene, host: lab_hosts.Host, down: bool) -> None:
    """Say that the nova-compute of a host is down, as a monitor would."""
    client = scene.cloud.nova('2.53')
    for service in client.services.list(host.name, 'nova-compute'):
        client.services.force_down(service.id, down)


def send(scene: Scene, request) -> tuple[int, str]:
    """Send a request and return status code and text of the answer."""
    client = scene.cloud.nova()
    try:
        request(client, client.servers.get(scene.observation.server), scene)
    except exceptions.ClientException as exc:
        return exc.code, exc.message
    return 202, ''


def _migration(scene: Scene) -> int:
    migration = scene.migration()
    if migration is None:
        raise exceptions.NotFound(404, 'there is no migration yet')
    return migration['id']


REQUESTS = {
    'abort': lambda client, server, scene:
        client.server_migrations.live_migration_abort(
            server, _migration(scene)),
    'force complete': lambda client, server, scene:
        client.server_migrations.live_migrate_force_complete(
            server, _migration(scene)),
    'delete': lambda client, server, scene: server.delete(),
    'pause': lambda client, server, scene: server.pause(),
    'stop': lambda client, server, scene: server.stop(),
    'hard reboot': lambda client, server, scene: server.reboot('HARD'),
    'resize': lambda client, server, scene: server.resize(
        next(flavor for flavor in client.flavors.list()
             if flavor.name == 'lab.linux')),
    'snapshot': lambda client, server, scene: server.create_image('snapshot'),
    'migrate again': lambda client, server, scene:
        client.servers.live_migrate(server, None, 'auto', post_copy=True),
    # 2.96 would ask for no host at all; the answer comes before any is used.
    'evacuate': lambda client, server, scene: server.evacuate(),
    'reset state': lambda client, server, scene:
        server.reset_state('active'),
}
