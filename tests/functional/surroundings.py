# SPDX-License-Identifier: Apache-2.0

"""What happens around a server: to services, ports, volumes and local disks.

Operators, HA tools and other services do it; the hosts and their network have
faults of their own (:mod:`lab.simulation.hosts`).
"""

import datetime
import errno
import os

import fixtures
from oslo_utils import timeutils

from lab.simulation import processes
from nova import context
from nova import objects
from nova_post_copy.compute import record


class Surroundings:
    """For a test that derives from :class:`lab.simulation.cloud.Cloud`."""

    # Services

    def force_down(self, host, down=True):
        """Say that a nova-compute is down, as HA tools do."""
        (service,) = self.api.get_services(host=host, binary='nova-compute')
        self.api.put_service(service['id'], {'forced_down': down})

    def die(self, host):
        """Kill a nova-compute, and wait until it counts as down."""
        self.kill_compute(host)
        self._seen(host, timeutils.utcnow() - datetime.timedelta(hours=1))

    def restart_compute(self, hostname):
        hostname = super().restart_compute(hostname)
        # Its first report comes later.
        self._seen(hostname, timeutils.utcnow())
        return hostname

    def _seen(self, host, when):
        with context.target_cell(
                context.get_admin_context(),
                self.cell_mappings['cell1']) as cell:
            service = objects.Service.get_by_compute_host(cell, host)
            service.last_seen_up = when
            service.save()

    # Other services, which tell Nova

    def external_event(self, name, tag):
        """Tell Nova of something, as neutron and Cinder do."""
        return self.request('POST', '/os-server-external-events', {
            'events': [{'name': name, 'tag': tag, 'status': 'completed',
                        'server_uuid': self.server['id']}]})

    def delete_port(self):
        """Delete the server's port in neutron.

        :returns: its MAC address
        """
        (port,) = self.neutron.bindings(self.server['id'])
        mac = self.neutron.show_port(port)['port']['mac_address']
        self.neutron.delete_port(port)
        self.external_event('network-vif-deleted', port)
        return mac

    def extend_volume(self, volume, size_gib):
        self.cinder.extend(volume, size_gib)
        self.external_event('volume-extended', volume)

    # Disks of the hosts

    def let_disks_fail(self):
        """Let faults of a host's disk reach the durable record, too.

        That is: ``images.full``, and :attr:`unreadable`, the hosts that cannot
        read it (an I/O error: whether it is whole is not known).
        """
        self.unreadable = set()
        write = record.write

        def write_if_there_is_room(*args, **kwargs):
            if processes.host() in self.images.full:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(*args, **kwargs)

        def open_if_it_can_be_read(path, *args, **kwargs):
            if processes.host() in self.unreadable:
                raise OSError(errno.EIO, os.strerror(errno.EIO), path)
            return open(path, *args, **kwargs)

        for name, replacement in (('write', write_if_there_is_room),
                                  ('open', open_if_it_can_be_read)):
            self.useFixture(fixtures.MonkeyPatch(
                'nova_post_copy.compute.record.' + name, replacement))

    def damage_record(self, host):
        """Cut the durable record of the server off.

        :returns: whether there is one
        """
        path = os.path.join(self.folder, host, record.CURRENT,
                            self.server['id'] + '.json')
        there = os.path.exists(path)
        if there:
            with open(path, 'w') as stream:
                stream.write('{"version"')
        return there
