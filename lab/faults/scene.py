# SPDX-License-Identifier: Apache-2.0

"""The stage of one case: a busy server in a known state, and its traces.

All that a case needs to know of the cloud is read here.
"""

from __future__ import annotations

import collections
import pathlib
import subprocess
import tempfile
import time
import typing

from keystoneauth1 import exceptions as keystone_exceptions

from lab.cloud import volumes
from lab.faults import images
from lab.faults.observation import Final
from lab.faults.observation import Observation
from lab.faults.observation import Volume
from lab.faults import sampler
from lab import guest
from lab.instruments import heartbeat
from lab.instruments import last_step
from lab.instruments import proof
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab.cloud import hosts as lab_hosts

IMAGE = 'faults'
# Small enough for many cases in little time, and busier than the link.
WORKING_SET_MIB = 256
PACE_MIB = 512
_MICROVERSION = '2.80'
_NETWORK = {'service_type': 'network', 'region_name': layout.REGION}


def upload_image(cloud: lab_cloud.Cloud) -> None:
    """Upload the image of the guest."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'image')
        guest.build_image(path, WORKING_SET_MIB, PACE_MIB)
        cloud.upload_image(IMAGE, path)


class Scene:
    """One server on the source, and nothing of it on the destination."""

    def __init__(self, cloud: lab_cloud.Cloud,
                 observation: Observation) -> None:
        self.cloud = cloud
        self.observation = observation
        self.source = cloud.host(observation.source)
        self.destination = cloud.host(observation.destination)
        self.server = None
        self.sampler: sampler.Sampler | None = None
        self.pulse: heartbeat.Heartbeat | None = None
        self._port: str | None = None
        self._volumes: list[str] = []
        self._images: images.Images | None = None

    def set(self) -> None:
        """Boot the server; return when the guest is at work.

        :raises lab.errors.LabError: when the cloud cannot do that
        """
        networks: object = 'none'
        if self.cloud.ports:
            self._port = self._create_port()
            networks = [{'port-id': self._port}]
        if self.cloud.storage.volumes:
            self._volumes.append(volumes.create(self.cloud, 'faults'))
        self.server = self.cloud.boot(
            'faults', self.source.name, image=IMAGE, networks=networks,
            volumes=self._volumes)
        self.observation.server = self.server.id
        self.pulse = heartbeat.Heartbeat()
        self.pulse.follow(self.cloud.serial_address(self.server))
        wait.until(lambda: self.pulse.samples() and
                   self.pulse.samples()[-1].work >
                   WORKING_SET_MIB * layout.MIB,
                   'heartbeat of the guest', 60)
        self.sampler = sampler.Sampler(
            self.cloud, self.observation, self.migration, self.shown,
            self.pulse.follow)
        if self.cloud.storage.volumes:
            self._images = images.Images(
                self.server.id, self._volumes, self._inits(),
                self._opened, self._removed)

    def request(self, upstream: bool) -> None:
        """Ask for the migration.

        :param upstream: without a word of post-copy
        """
        options = {} if upstream else {'post_copy': True}
        last_step.accepted(lambda: self.cloud.nova().servers.live_migrate(
            self.server, self.destination.name, 'auto', **options))

    def migration(self, server: str | None = None) -> dict | None:
        """Return the newest migration; None: no such, or no answer.

        :param server: another one than the server of the case
        """
        try:
            found = self.cloud.get(
                'compute', '/os-migrations?limit=1&instance_uuid='
                + (server or self.observation.server),
                microversion=_MICROVERSION)
            return next(iter(found['migrations']), None)
        except (keystone_exceptions.ClientException, ValueError):
            return None

    def shown(self) -> str | None:
        """Return the status of the server; None: no such, or no answer."""
        try:
            server = self._nova_server()
        except (keystone_exceptions.ClientException, ValueError):
            return None
        return server and server['status']

    def final(self) -> Final | None:
        """Read hosts and records; None when a service does not answer."""
        server, migration = self.observation.server, self.migration()
        try:
            return Final(
                server=self._nova_server(),
                migration=migration,
                allocations=self.cloud.allocations(server),
                migration_allocations=self.cloud.allocations(
                    migration['uuid']) if migration else {},
                domains={self.source.name: self.sampler.source.state(),
                         self.destination.name:
                         self.sampler.destination.state()},
                processes=self._processes(),
                disks=[host.name for host in self.cloud.hosts.values()
                       if host.disk(server).exists()],
                durable=[host.name for host in self.cloud.hosts.values()
                         if self._durable(host).exists()],
                bindings=self._bindings(),
                shared=self.cloud.storage.directory is not None,
                images=images.of_server(server)
                if self.cloud.storage.volumes else None,
                volumes={volume: self._volume(volume)
                         for volume in self._volumes})
        except (keystone_exceptions.ClientException, ValueError,
                subprocess.SubprocessError):
            return None

    def clear(self) -> list[str]:
        """Delete the server and its volumes as their user does.

        :returns: what went wrong, in sentences
        """
        wrong = []
        if self.server is not None:
            try:
                self.cloud.delete(self.server, limit=40)
            except Exception as exc:
                wrong.append('the server could not be deleted: %s' % exc)
        if self._images is not None:
            self._images.stop()
        if self._volumes:
            wrong += self._clear_storage()
        if self.sampler is not None:
            self.sampler.stop()
        if self.pulse is not None:
            self.pulse.stop()
        if self._port is not None:
            self.cloud.session.delete('/v2.0/ports/' + self._port,
                                      endpoint_filter=_NETWORK)
        return wrong

    def _clear_storage(self) -> list[str]:
        """Delete the volumes; an image of the server is gone by then."""
        try:
            for volume in self._volumes:
                volumes.delete(self.cloud, volume)
            left = images.of_server(self.server.id) if self.server else ()
        except Exception as exc:
            return ['the volume could not be deleted: %s' % exc]
        return ['image %s is left of the deleted server' % image
                for image in left]

    def _nova_server(self) -> dict | None:
        try:
            return self.cloud.get(
                'compute', '/servers/' + self.observation.server)['server']
        except keystone_exceptions.NotFound:
            return None

    def _processes(self) -> dict[str, int]:
        return dict(collections.Counter(proof.qemu_processes(
            self.observation.server, self._inits()).values()))

    def _inits(self) -> dict[str, int]:
        return {host.name: host.init.pid
                for host in self.cloud.hosts.values()}

    def _volume(self, volume: str) -> Volume:
        return Volume(volumes.status(self.cloud, volume),
                      volumes.attachments(self.cloud, volume),
                      images.of_volume(volume))

    def _opened(self, image: str, hosts: list[str]) -> None:
        self._note('%s is open on %s' % (
            image, ' and '.join(hosts) or 'no host'))

    def _removed(self, image: str, hosts: list[str]) -> None:
        text = '%s, while QEMU ran on %s' % (image, ' and '.join(hosts))
        self._note('gone: ' + text)
        self.observation.removed.append(text)

    def _note(self, what: str) -> None:
        self.observation.note(time.monotonic(), 'ceph', what)

    def _durable(self, host: lab_hosts.Host) -> pathlib.Path:
        return (host.layout.directory / 'nova' / 'post_copy'
                / (self.observation.server + '.json'))

    def _create_port(self) -> str:
        network, = self.cloud.get(
            'network', '/v2.0/networks?name=tenant')['networks']
        return self.cloud.session.post(
            '/v2.0/ports', endpoint_filter=_NETWORK, json={
                'port': {'network_id': network['id']}}).json()['port']['id']

    def _bindings(self) -> dict[str, str] | None:
        if self._port is None:
            return None
        try:
            found = self.cloud.get(
                'network', '/v2.0/ports/%s/bindings' % self._port)
        except (keystone_exceptions.NotFound, keystone_exceptions.BadRequest):
            return {}       # neutron's answer for a port that is not bound
        # A port that is bound nowhere has a binding to no host.
        return {binding['host']: binding['status']
                for binding in found['bindings'] if binding['host']}
