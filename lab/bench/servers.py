# SPDX-License-Identifier: Apache-2.0

"""A server of the bench: booted, heard, made ready for each run."""

from __future__ import annotations

import typing

from lab.bench import guests
from lab import errors
from lab.instruments import heartbeat
from lab.instruments import last_step
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud

NAME = 'bench'
_BOOT_LIMIT_S = 60.0


def boot(cloud: lab_cloud.Cloud, kind: guests.Guest, host: str) -> 'Server':
    """Boot one of the guests; return when it is at work.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up
    """
    server = cloud.boot(NAME, host, image=kind.image, flavor=guests.FLAVOR)
    pulse = heartbeat.Heartbeat()
    pulse.follow(cloud.serial_address(server))
    wait_for_work(pulse, kind)
    return Server(cloud, server, pulse)


def clear(cloud: lab_cloud.Cloud) -> None:
    """Delete what an interrupted bench has left."""
    for server in cloud.nova().servers.list(
            search_opts={'name': '^%s$' % NAME}):
        cloud.delete(server)


class Server:
    """A server that is heard.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up
    :param server: as :meth:`lab.cloud.cloud.Cloud.boot` returns it
    :param pulse: a :class:`lab.instruments.heartbeat.Heartbeat` that follows
        it, or what has the same to say
    """

    def __init__(self, cloud: lab_cloud.Cloud, server, pulse) -> None:
        self._cloud = cloud
        self.server = server
        self.pulse = pulse

    @property
    def uuid(self) -> str:
        return self.server.id

    def shown(self) -> dict:
        """Return the server as Nova shows it to an administrator."""
        return self._cloud.get('compute', '/servers/' + self.uuid)['server']

    def hosts(self) -> tuple[str, str]:
        """Return names: where it is, and where it could go."""
        here = self.shown()['OS-EXT-SRV-ATTR:host']
        there, = (host.name for host in layout.HOSTS if host.name != here)
        return here, there

    def make_active(self, to_error: bool) -> None:
        """Wait until a migration is over; undo upstream's ERROR.

        :param to_error: see :func:`lab.instruments.last_step.left`
        """
        shown = last_step.wait_until_over(self._cloud, self.uuid, to_error)
        if shown['status'] == 'ERROR':
            self._cloud.nova().servers.reset_state(self.server, 'active')
            wait.until(lambda: self.shown()['status'] == 'ACTIVE',
                       'server that is ACTIVE', 30)

    def stand_still(self, still: bool) -> None:
        """Pause the server, so that another one has the processors."""
        client = self._cloud.nova()
        (client.servers.pause if still else
         client.servers.unpause)(self.server)
        wanted = 'PAUSED' if still else 'ACTIVE'
        wait.until(lambda: self.shown()['status'] == wanted,
                   'server that is ' + wanted, 30)

    def delete(self) -> None:
        self.pulse.stop()
        self._cloud.delete(self.server)


def wait_for_work(pulse: heartbeat.Heartbeat, kind: guests.Guest) -> None:
    """Return when a guest has been once through its working set.

    :raises LabError: when it does not get there, or its memory is wrong
    """
    wait.until(lambda: pulse.samples() and pulse.samples()[-1].work
               > kind.working_set_mib * layout.MIB,
               'heartbeat of the guest', _BOOT_LIMIT_S)
    if pulse.wrong_pages:
        raise errors.LabError('the guest found %d wrong pages before '
                              'anything was done' % pulse.wrong_pages)
