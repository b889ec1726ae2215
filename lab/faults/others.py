# SPDX-License-Identifier: Apache-2.0

"""Another server that wants to leave the host, too."""

from __future__ import annotations

import time
import typing

from lab.faults import scene as faults_scene
from lab.instruments import last_step
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import hosts as lab_hosts

NAME = 'faults-other'
# Seconds until nova-compute has begun its migration; it has one slot.
_TURN_S = 15.0
# Seconds until it has ended, when the network is back.
_END_S = 90.0
_WAITING = (None, 'accepted', 'queued')


def leave(scene: faults_scene.Scene,
          host: lab_hosts.Host) -> tuple[int, str]:
    """Boot another server on a host, and migrate it.

    :returns: as if the API had answered: accepted once it gets its turn
    """
    server = scene.cloud.boot(NAME, host.name, image=faults_scene.IMAGE)
    last_step.accepted(lambda: scene.cloud.nova().servers.live_migrate(
        server, scene.destination.name, 'auto', post_copy=True))
    end = time.monotonic() + wait.scaled(_TURN_S)
    while (status := _status(scene, server.id)) in _WAITING:
        if time.monotonic() > end:
            return 409, 'its migration is still %s' % status
        time.sleep(0.2)
    return 202, 'its migration is %s' % status


def delete(scene: faults_scene.Scene, host: lab_hosts.Host) -> None:
    """Delete that server when its migration has ended, if there is one."""
    for server in scene.cloud.nova().servers.list(
            search_opts={'name': NAME}):
        wait.until(
            lambda server=server: _status(
                scene, server.id) in last_step.ENDED,
            'end of the migration of ' + NAME, _END_S)
        scene.cloud.delete(server)


def _status(scene: faults_scene.Scene, server: str) -> str | None:
    migration = scene.migration(server)
    return migration and migration['status']
