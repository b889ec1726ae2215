# SPDX-License-Identifier: Apache-2.0

"""What it costs to empty a host, as the number of its servers grows.

``nova host-evacuate-live --post-copy`` for 1, 4, 8 and 16 small busy servers,
with one migration at a time and with several. It should take what the network
takes for their RAM, and no server should starve while others move.
"""

from __future__ import annotations

from collections.abc import Sequence
import dataclasses
import pathlib
import subprocess
import tempfile
import time
import typing

from lab.bench import computes
from lab.cloud import content
from lab import errors
from lab import guest
from lab.instruments import heartbeat
from lab.instruments import last_step
from lab.instruments import record
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab import progress

SIZES = (1, 4, 8, 16)
CONCURRENT = (1, 4)         # max_concurrent_live_migrations
IMAGE = 'bench-small'
FLAVOR = 'lab.tiny'
MEMORY_MIB = 128            # of the flavor
# Each slower than the network, together faster.
WORKING_SET_MIB = 64
PACE_MIB = 80
_LIMIT_S = 600.0
_POLL_S = 0.3
_PLACEMENT = {'service_type': 'placement', 'region_name': layout.REGION}
_COMPUTE = {'service_type': 'compute', 'region_name': layout.REGION}


@dataclasses.dataclass
class Small:
    """One of the servers, and when its migration was seen to do what."""

    server: object
    pulse: heartbeat.Heartbeat | None = None
    begun: float | None = None
    ended: float | None = None
    status: str = ''
    heard: bool = False

    def listen(self, cloud: lab_cloud.Cloud) -> None:
        """Listen to where the server is now, and only there.

        The port that it had before may be another server's soon.
        """
        self.fall_silent()
        self.pulse = heartbeat.Heartbeat()
        self.pulse.follow(cloud.serial_address(self.server))

    def fall_silent(self) -> None:
        if self.pulse is not None:
            self.pulse.stop()


def measure(cloud: lab_cloud.Cloud, say: progress.Progress) -> dict:
    """Empty a host again and again.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up
    :returns: as it is written in ``bench.json``
    """
    prepare(cloud)
    found, small = [], []
    try:
        with computes.Computes(cloud) as nova:
            for concurrent in CONCURRENT:
                nova.configure({name: {} for name in cloud.hosts}, {
                    'max_concurrent_live_migrations': concurrent})
                # With more servers each time, and then with fewer.
                for size in SIZES[::1 if not small else -1]:
                    source = _bring_to(cloud, small, size)
                    seen = _evacuate(cloud, small, source, say)
                    seen['concurrent'] = concurrent
                    say('  %s' % told(seen))
                    found.append(seen)
    finally:
        for each in small:
            each.fall_silent()
            cloud.delete(each.server)
    return {'command': 'nova host-evacuate-live --post-copy HOST',
            'memory_mib': MEMORY_MIB, 'working_set_mib': WORKING_SET_MIB,
            'pace_mib_per_second': PACE_MIB, 'runs': found}


def prepare(cloud: lab_cloud.Cloud) -> None:
    """Make the image, and room for many servers."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'image')
        guest.build_image(path, WORKING_SET_MIB, PACE_MIB)
        # It would not notice being asked to end.
        cloud.upload_image(IMAGE, path, os_shutdown_timeout='0')
    client = cloud.nova()
    client.quotas.update(cloud.session.get_project_id(), instances=-1,
                         cores=-1, ram=-1)
    providers = cloud.get('placement', '/resource_providers')
    for provider in providers['resource_providers']:
        url = '/resource_providers/%s/inventories/VCPU' % provider['uuid']
        inventory = cloud.get('placement', url)
        cloud.session.put(url, endpoint_filter=_PLACEMENT,
                          json=inventory | {'allocation_ratio': 32.0})


def told(seen: dict) -> str:
    """Say in one line how an evacuation went."""
    return ('%d servers, %d at a time: %.1f s, %.2f x RAM / bandwidth; the '
            'slowest took %.1f s, longest silence %.2f s' % (
                seen['servers'], seen['concurrent'], seen['total'],
                seen['total'] / seen['ideal'], seen['slowest'],
                seen['silence']))


def _bring_to(cloud: lab_cloud.Cloud, small: list[Small], size: int) -> str:
    """Boot or delete servers until there are so many; return their host."""
    while len(small) > size:
        each = small.pop()
        each.fall_silent()
        cloud.delete(each.server)
    host = layout.HOSTS[0].name
    if small:
        small[0].server.get()
        host = getattr(small[0].server, 'OS-EXT-SRV-ATTR:host')
    while len(small) < size:
        small.append(boot(cloud, 'small-%d' % len(small), host))
    return host


def boot(cloud: lab_cloud.Cloud, name: str, host: str) -> Small:
    """Boot one of the servers."""
    booted = Small(cloud.boot(name, host, image=IMAGE, flavor=FLAVOR))
    booted.listen(cloud)
    wait.until(booted.pulse.samples, 'heartbeat of ' + name, 60)
    return booted


def _evacuate(cloud: lab_cloud.Cloud, small: Sequence[Small], source: str,
              say: progress.Progress) -> dict:
    destination, = (name for name in cloud.hosts if name != source)
    for each in small:
        each.begun = each.ended = None
        each.heard = False
    newest = max((found['id'] for found in _migrations(cloud)), default=0)
    begun = time.monotonic()
    command = subprocess.Popen(
        ['bash', '-c', content.openrc()
         + 'nova host-evacuate-live --post-copy ' + source],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while any(each.ended is None for each in small):
        if command.poll():
            raise errors.LabError('the evacuation was refused: %s'
                                  % command.stdout.read())
        limit = wait.scaled(_LIMIT_S)
        if time.monotonic() > begun + limit:
            raise errors.LabError('%s was not empty within %d s'
                                  % (source, limit))
        _look(cloud, small, newest, destination)
        say.update('%d of %d servers have moved' % (
            sum(each.ended is not None for each in small), len(small)))
        time.sleep(_POLL_S)
    ended = max(each.ended for each in small)
    command.wait()
    wrong = [each.status for each in small if each.status != 'completed']
    if wrong:
        raise errors.LabError('not all migrations were completed: %s'
                              % ', '.join(wrong))
    for each in small:
        last_step.wait_until_over(cloud, each.server.id)
        # Its console is heard some time after its migration.
        wait.until(lambda: each.pulse.samples()[-1].time > ended,
                   'heartbeat of ' + each.server.name, 30)
    seen = {
        'servers': len(small), 'source': source,
        'total': ended - begun,
        'ideal': len(small) * MEMORY_MIB * layout.MIB / cloud.bandwidth,
        'slowest': max(each.ended - each.begun for each in small),
        'silence': max(_silence(each, begun, ended) for each in small),
        'wrong_pages': sum(each.pulse.wrong_pages for each in small),
        'moments': sorted([round(each.begun - begun, 2),
                           round(each.ended - begun, 2)] for each in small),
    }
    for each in small:
        each.listen(cloud)
    return seen


def _look(cloud: lab_cloud.Cloud, small: Sequence[Small], newest: int,
          destination: str) -> None:
    """Note what has happened since the last look."""
    now = time.monotonic()
    status = {found['instance_uuid']: found['status']
              for found in _migrations(cloud) if found['id'] > newest}
    for each in small:
        each.status = status.get(each.server.id, '')
        if each.begun is None and each.status in (
                'running', 'running (post-copy)', *last_step.ENDED):
            each.begun = now
        if each.begun is not None and not each.heard:
            address = cloud.serial_address(each.server, destination)
            if address is not None:
                each.pulse.follow(address)
                each.heard = True
        if each.ended is None and each.status in last_step.ENDED:
            each.ended = now


def _migrations(cloud: lab_cloud.Cloud) -> list[dict]:
    return cloud.get('compute', '/os-migrations?limit=100',
                     microversion='2.80')['migrations']


def _silence(each: Small, begun: float, ended: float) -> float:
    attempt = record.Attempt('evacuation', True)
    attempt.note(record.REQUESTED, begun)
    attempt.note(record.COMPLETED, ended)
    return record.Record(
        simulated=False, server=each.server.id, source='', destination='',
        memory=MEMORY_MIB * layout.MIB,
        working_set=WORKING_SET_MIB * layout.MIB, bandwidth=1,
        samples=each.pulse.samples()).longest_silence(attempt) or 0.0
