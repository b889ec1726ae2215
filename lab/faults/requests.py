# SPDX-License-Identifier: Apache-2.0

"""What users and operators ask for at the wrong time."""

from __future__ import annotations

import subprocess
import typing

from novaclient import exceptions

from lab.cloud.services import nova
from lab import layout

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


def give_up(scene: Scene, host: lab_hosts.Host) -> tuple[int, str]:
    """Say, as an operator does, that a host is lost.

    :returns: as if the API had answered
    """
    command = subprocess.run(
        [layout.BIN / 'nova-post-copy-manage', '--config-file',
         nova.CONFIGURATION, 'migration', 'give-up',
         str(_migration(scene)), '--server', scene.server.name,
         '--host', host.name],
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    return 409 if command.returncode == 1 else 202, command.stdout


def _evacuate(version: str):
    """Return a request to the destination, as programs of this age send."""
    return lambda client, server, scene: scene.cloud.nova(
        version).servers.evacuate(server, scene.destination.name)


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
    'force delete': lambda client, server, scene: server.force_delete(),
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
    'evacuate by 2.14': _evacuate('2.14'),
    'evacuate by 2.67': _evacuate('2.67'),
    'migrate without post_copy': lambda client, server, scene:
        client.servers.live_migrate(server, None, 'auto'),
    'reset state': lambda client, server, scene:
        server.reset_state('active'),
    'reset state to error': lambda client, server, scene:
        server.reset_state('error'),
}
