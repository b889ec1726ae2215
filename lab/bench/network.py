# SPDX-License-Identifier: Apache-2.0

"""How long a server with a real port cannot be reached when it moves.

The answers to a train of ping are its heartbeat, so all that holds for the
runs of the bench holds here too: what is missing between two of them is the
silence, what was not answered is the work that was lost.
"""

from __future__ import annotations

import typing

from lab.bench import computes
from lab.bench import guests
from lab.bench import modes
from lab.bench import nova_way
from lab.bench import result
from lab.bench import runner
from lab.bench import servers
from lab.guest import linux as linux_guest
from lab.instruments import ping
from lab.instruments import record
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab import progress

ADDRESS = '198.18.92.60'
INTERVAL_S = 0.02     # between two questions
IMAGE = 'bench-linux'
FLAVOR = 'lab.linux'
LINUX = guests.Guest('linux', 'Linux with a port', 64)
# What the guest rewrites would fit upstream's 500 ms, and there would be no
# switch whose silence could be measured.
DOWNTIME_MS = 100
# Pre-copy of this guest does not end, and virsh moves no port.
MODES = ('force-complete', modes.OURS)
_SERVICE = {'service_type': 'network', 'region_name': layout.REGION}


class Pulse:
    """The answers of a server, as a heartbeat."""

    wrong_pages = 0

    def __init__(self, address: str) -> None:
        self._answers = ping.Answers(address, INTERVAL_S)

    def samples(self) -> list[record.Sample]:
        """Return all answers; the work of each is one."""
        return [record.Sample(moment, number) for number, moment
                in enumerate(self._answers.times(), 1)]

    def follow(self, address: tuple[str, int]) -> None:
        """Do nothing: the address of the server moves along with it."""

    def stop(self) -> None:
        self._answers.stop()


def measure(cloud: lab_cloud.Cloud, bench: result.Bench, rounds: int,
            say: progress.Progress) -> None:
    """Move a server with a port there and back, in each of the modes.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up with ports
    :param bench: its ``network`` is replaced
    """
    linux_guest.upload(cloud, IMAGE, ADDRESS)
    port = _create_port(cloud)
    options = {name: {**modes.MODES['force-complete'].options,
                      'live_migration_downtime': DOWNTIME_MS}
               for name in cloud.hosts}
    bench.network = []
    try:
        with computes.Computes(cloud) as nova:
            # What it says for all migrations, ours says for itself.
            nova.configure(options)
            server = _boot(cloud, port)
            try:
                for number in range(1, rounds + 1):
                    for name in MODES[::1 if number % 2 else -1]:
                        run = nova_way.NovaWay(
                            cloud, server, LINUX, modes.MODES[name]
                        ).run(number, 0)
                        say('  %-15s %s' % (name, runner.told(run)))
                        bench.network.append(run)
            finally:
                server.delete()
    finally:
        cloud.session.delete('/v2.0/ports/' + port, endpoint_filter=_SERVICE)


def _boot(cloud: lab_cloud.Cloud, port: str) -> servers.Server:
    server = cloud.boot(servers.NAME, layout.HOSTS[0].name, image=IMAGE,
                        flavor=FLAVOR, networks=[{'port-id': port}])
    pulse = Pulse(ADDRESS)
    try:
        wait.until(pulse.samples, 'answer of the server to ping', 60)
    except BaseException:
        pulse.stop()
        raise
    return servers.Server(cloud, server, pulse)


def _create_port(cloud: lab_cloud.Cloud) -> str:
    network, = cloud.get(
        'network', '/v2.0/networks?name=tenant')['networks']
    return cloud.session.post(
        '/v2.0/ports', endpoint_filter=_SERVICE, json={'port': {
            'network_id': network['id'],
            'fixed_ips': [{'ip_address': ADDRESS}]}}).json()['port']['id']
