# SPDX-License-Identifier: Apache-2.0

"""The cloud as its users see it: up and down, clients, servers.

This is the interface of the lab for the demo, the benchmarks and the tests::

    cloud = Cloud()
    cloud.up()
    server = cloud.boot('busy', 'host-a')
    cloud.nova().servers.live_migrate(server, 'host-b', 'auto')
    address, port = cloud.serial_address(server)
    cloud.delete(server)
    cloud.down()

:mod:`lab.cloud.bringup` knows how it comes up; here is what it can be asked
for.
"""

from collections.abc import Callable
from collections.abc import Sequence
import functools
import pathlib
import xml.etree.ElementTree

import libvirt
from novaclient import client
from novaclient import exceptions

from lab.cloud import bringup
from lab.cloud import content
from lab.cloud import hosts
from lab.cloud import lock
from lab.cloud import machine
from lab.cloud.services import nova
from lab.cloud import speed
from lab.cloud import storage as storages
from lab import errors
from lab import layout
from lab import progress
from lab import wait


class Cloud:
    """The one lab of this machine.

    :param bandwidth: bytes per second of the migration network
    :param extended: whether Nova has nova-post-copy loaded
    :param horizon: whether the dashboard is served
    :param ports: whether real neutron ports can be used (an agent on each
        host, and the network ``tenant``)
    :param storage: where the disks of servers are, one of
        :data:`lab.cloud.storage.KINDS`
    :param tls: whether migrations are encrypted
    :param say: called with each line of progress
    """

    def __init__(self, *,
                 bandwidth: int = layout.MIGRATION_BANDWIDTH_BYTES_PER_S,
                 extended: bool = True, horizon: bool = False,
                 ports: bool = False, storage: str = 'local',
                 tls: bool = False,
                 say: Callable[[str], None] | None = None) -> None:
        self.bandwidth = bandwidth
        self.extended = extended
        self.horizon = horizon
        self.ports = ports
        self.storage = storages.KINDS[storage]()
        self.tls = tls
        self._say = say or progress.Progress()
        self.hosts = {
            host.name: hosts.Host(host, self.storage)
            for host in layout.HOSTS}
        speed.recall()

    def up(self, again: bool = False) -> None:
        """Bring up what is not up yet; return when servers can be booted.

        :param again: whether the command has done so before: it does not
            say a second time that the machine is slow
        :raises LabError: with the reason; what was started is still there,
            :meth:`down` removes it
        """
        bringup.up(self, self._say, again)

    def down(self) -> None:
        """Remove the lab, whatever is left of it."""
        bringup.down(self, self._say)

    def is_up(self) -> bool:
        """Whether everything that belongs to the lab is running."""
        return lock.is_ours() and not bringup.missing(self)

    def host(self, name: str) -> hosts.Host:
        """Return ``host-a`` or ``host-b``."""
        return self.hosts[name]

    # Clients. All of them speak as admin to the public endpoints.

    @functools.cached_property
    def session(self):
        """A keystoneauth session of the admin in the project demo."""
        return content.session()

    def nova(self, version: str = '2.96'):
        """Return a novaclient; 2.96 is the highest that it has itself.

        It has the extensions that are installed, as the command has:
        ``servers.live_migrate(..., post_copy=True)``.
        """
        return client.Client(
            version, session=self.session, region_name=layout.REGION,
            extensions=client.discover_extensions(version))

    def get(self, service: str, url: str, microversion: str | None = None):
        """GET a path of a service and return the JSON body.

        :param service: its type in the catalogue, e.g. ``placement``
        """
        return self.session.get(
            url, microversion=microversion,
            endpoint_filter={'service_type': service,
                             'region_name': layout.REGION}).json()

    def allocations(self, consumer: str) -> dict[str, dict[str, int]]:
        """Return what a consumer has allocated in placement, per host.

        :param consumer: uuid of a server or of a migration
        """
        providers = {
            provider['uuid']: provider['name'] for provider in
            self.get('placement', '/resource_providers')['resource_providers']}
        body = self.get('placement', '/allocations/' + consumer)
        return {providers[uuid]: allocation['resources']
                for uuid, allocation in body['allocations'].items()}

    def upload_image(self, name: str, path: str | pathlib.Path,
                     **properties: str) -> str:
        """Replace the image of this name and return its id.

        :param properties: on top of, or in place of, what makes it a raw disk
        """
        return content.upload_image(self.session, name, path, properties)

    # Servers.

    def boot(self, name: str, host: str, *, image: str = 'guest',
             flavor: str = 'lab.small', networks: object = 'none',
             volumes: Sequence[str] = (), limit: float = 90):
        """Boot a server on a host and return it when it is ACTIVE.

        :param host: ``host-a`` or ``host-b``
        :param networks: as novaclient's ``nics``
        :param volumes: ids of those that are attached
        :param limit: seconds
        :raises LabError: with the fault of the server
        """
        nova_client = self.nova()
        images = self.get('image', '/v2/images?name=' + image)['images']
        if not images:
            raise errors.LabError('there is no image %s in glance' % image)
        flavors = {found.name: found for found in nova_client.flavors.list()}
        server = nova_client.servers.create(
            name, images[0]['id'], flavors[flavor], host=host, nics=networks,
            block_device_mapping_v2=[
                {'uuid': volume, 'source_type': 'volume',
                 'destination_type': 'volume', 'boot_index': -1}
                for volume in volumes])

        def active():
            server.get()
            if server.status == 'ERROR':
                raise errors.LabError('the server %s was not booted: %s' % (
                    name, getattr(server, 'fault', {}).get('message')))
            return server.status == 'ACTIVE'

        wait.until(active, 'ACTIVE server ' + name, limit,
                   self.host(host).compute.log, interval=0.2)
        return server

    def delete(self, server, limit: float = 60) -> None:
        """Delete a server and return when it is gone."""
        def gone() -> bool:
            try:
                server.get()
            except exceptions.NotFound:
                return True
            return False

        try:
            server.delete()
        except exceptions.NotFound:
            return
        wait.until(gone, 'end of the server ' + server.name, limit,
                   interval=0.2)

    def serial_address(self, server,
                       host: str | None = None) -> tuple[str, int] | None:
        """Return address and port of the server's serial port (TCP, raw).

        One client at a time; what the guest says while there is none is
        lost. During a migration the domain exists on both hosts, with a port
        each.

        :param server: a server or its uuid
        :param host: look on this host only
        :return: None while there is no such domain
        """
        uuid = getattr(server, 'id', server)
        for candidate in [self.hosts[host]] if host else self.hosts.values():
            connection = candidate.connect()
            try:
                description = connection.lookupByUUIDString(uuid).XMLDesc()
            except libvirt.libvirtError:
                continue
            finally:
                connection.close()
            tree = xml.etree.ElementTree.fromstring(description)
            for source in tree.iterfind('devices/*[@type="tcp"]/source'):
                if source.get('mode') == 'bind':
                    return (candidate.layout.management,
                            int(source.get('service')))
        return None

    # The machine under the hosts.

    def set_sysctl(self, name: str, value: str) -> None:
        """Set a sysctl of the machine, e.g. vm.unprivileged_userfaultfd.

        The kernel is shared: it holds for both hosts. :meth:`down` puts back
        what was there before.
        """
        machine.set_sysctl(name, value)

    def wait_for_compute(self, host: str, limit: float = 60) -> None:
        """Wait until a nova-compute that was started is ready for work."""
        nova.wait_for_compute(self, self.host(host), limit)
