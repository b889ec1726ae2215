# SPDX-License-Identifier: Apache-2.0

"""A whole Nova in one process, on simulated hosts.

Upstream's functional test base is that Nova: API, conductor, scheduler and
computes are the real services, on SQLite and in-memory RPC. Joined to it here
are nova-post-copy and hosts that can migrate. The functional tests derive from
:class:`Cloud`; ``lab.demo.simulated`` uses it outside of a test runner.
"""

from collections.abc import Iterator
import contextlib
import functools
import os
import sys
from typing import Self

# Native threads, as Nova's services use; upstream's tests read this variable
# when they are imported.
os.environ.setdefault('OS_NOVA_DISABLE_EVENTLET_PATCHING', 'true')

# First of all: it must run before anything imports eventlet.
from nova.tests.functional.libvirt import base

import fixtures

from nova.api import auth
import nova.conf
from nova import context
from nova import thread_pool_factory
from nova.virt.libvirt import host

from lab import layout
from lab.simulation import cinder
from lab.simulation import hosts
from lab.simulation import images
from lab.simulation import joining
from lab.simulation import libvirt
from lab.simulation import libvirtd
from lab.simulation import neutron
from lab.simulation import processes
from lab.simulation import replacing
from nova_post_copy.api import microversion
from nova_post_copy.virt.libvirt import userfaultfd
# Imported before a test: its fixtures do not allow an import of libvirt.
from nova_post_copy.virt import post_copy  # noqa: F401

CONF = nova.conf.CONF

# Debian 12's, as in the lab.
LIBVIRT_VERSION = 9000000
QEMU_VERSION = 7002000

# Before a test: upstream's base replaces it.
GET_CONNECTION = host.Host.get_connection

joining.join()


class SimulatedLibvirt(fixtures.Fixture):
    """Replaces ``libvirt`` in each driver by :mod:`lab.simulation.libvirt`.

    Use after upstream's LibvirtFixture, whose fake it extends.
    """

    def _setUp(self):
        self.useFixture(replacing.Libvirt(libvirt))
        # Whether QEMU may use userfaultfd is a matter of the simulated host,
        # not of the machine that this runs on.
        refusal = userfaultfd.refusal
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.userfaultfd._unprivileged',
            lambda: False))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.userfaultfd._can_open',
            lambda *args: False))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.userfaultfd.refusal',
            lambda host: (None if host.get_connection().userfaultfd
                          else refusal(host))))


class Cloud(base.ServersTestBase):
    """A Nova without computes; each :meth:`start_compute` adds a host."""

    ADMIN_API = True
    CAST_AS_CALL = False
    microversion = microversion.VERSION

    #: bytes/s between the hosts, and simulated seconds in a real one
    BANDWIDTH = 256 * layout.MIB
    SPEED = 4.0
    #: further values of :class:`lab.simulation.guest.Link`
    LINK: dict[str, float] = {}
    #: of ``[libvirt]``: 'raw' makes files in the instances path, 'rbd' images
    IMAGES_TYPE = 'raw'
    #: whether the hosts have one instances path, as over NFS
    SHARED_INSTANCES_PATH = True

    def setUp(self):
        self.processes: dict[str, processes.Process] = {}
        self.hosts = hosts.Hosts(self.BANDWIDTH, self.SPEED, **self.LINK)
        # Nova's wheel installs it there; its tests look into a source tree.
        self.flags(api_paste_config=os.path.join(
            sys.prefix, 'etc/nova/api-paste.ini'), group='wsgi')
        self.flags(images_type=self.IMAGES_TYPE, group='libvirt')
        # A service that stops shuts Nova's thread pools down. Upstream's
        # fixture prevents that, but only until stop() returns, so stop() must
        # not return before the service has ended.
        self.flags(graceful_shutdown_timeout=10, manager_shutdown_timeout=10)
        super().setUp()
        self.useFixture(SimulatedLibvirt())
        self.neutron = self.useFixture(neutron.Neutron(self))
        self.cinder = self.useFixture(cinder.Cinder(self, self.hosts))
        self.images = self.useFixture(images.Images(self.hosts))
        self._give_users_a_token()
        with context.target_cell(
                context.get_admin_context(),
                self.cell_mappings['cell1']) as cell:
            self.useFixture(processes.Processes(
                cell.db_connection, self.processes))
        self.folder = self.useFixture(fixtures.TempDir()).path
        # What Nova asks the network of the hosts, past libvirt.
        for question in ('accepts', 'answers'):
            self.useFixture(fixtures.MonkeyPatch(
                'nova_post_copy.migration.probe.' + question,
                lambda uri: not self.hosts.is_cut))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.incoming.break_dead',
            lambda uuid, sources, others: self.hosts.break_incoming(uuid)))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.outgoing.own_addresses',
            lambda hosts: []))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.recovery_limits.find', list))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.outgoing.end_dead',
            lambda host, port: 0))
        self.addCleanup(self.hosts.close)

    @classmethod
    @contextlib.contextmanager
    def up(cls) -> Iterator[Self]:
        """Bring the cloud up outside of a test runner."""
        # The name of any method: none is run.
        cloud = cls('up')
        try:
            cloud.setUp()
            yield cloud
        finally:
            cloud.doCleanups()

    def _give_users_a_token(self) -> None:
        """Let the contexts of requests have a token, as with Keystone."""
        contexts = auth.NovaKeystoneContext._create_context
        self.useFixture(fixtures.MonkeyPatch(
            'nova.api.auth.NovaKeystoneContext._create_context',
            staticmethod(lambda env, **kwargs: contexts(
                env, auth_token='token of a user', **kwargs))))

    def _setup_compute_service(self):
        self.flags(compute_driver='post_copy.LibvirtDriver')

    def _get_connection(
            self, host_info=None, pci_info=None, mdev_info=None,
            vdpa_info=None, libvirt_version=None, qemu_version=None,
            hostname=None):
        return libvirt.Connection(libvirtd.Libvirtd(
            self.hosts, version=libvirt_version or LIBVIRT_VERSION,
            hv_version=qemu_version or QEMU_VERSION,
            host_info=host_info, pci_info=pci_info, mdev_info=mdev_info,
            vdpa_info=vdpa_info, hostname=hostname))

    def start_compute(self, hostname='compute1', *args, **kwargs):
        """Start the nova-compute of a host, in a process of its own."""
        process = self.processes[hostname] = processes.Process(
            hostname, self.folder, self.instances_path(hostname))
        with process:
            super().start_compute(hostname, *args, **kwargs)
            self.hosts.daemons[hostname].instances_path = (
                self.instances_path(hostname))
            self._listen(self.computes[hostname].driver._host)
        return hostname

    def instances_path(self, hostname) -> str:
        """Return where a host has the disks of servers."""
        if self.SHARED_INSTANCES_PATH:
            return CONF.instances_path
        path = os.path.join(self.folder, hostname, 'instances')
        os.makedirs(path, exist_ok=True)
        return path

    def kill_compute(self, hostname):
        """Kill a nova-compute, as by SIGKILL; libvirt keeps on migrating."""
        self.processes.pop(hostname).alive = False
        compute = self.computes.pop(hostname)
        self.compute_rp_uuids.pop(hostname)
        compute.driver._host.get_connection().kill()
        for server in (compute.rpcserver, compute.rpcserver_alt):
            server.stop()
            # A real one would take its threads with it.
            server._work_executor.shutdown(wait=False)
        self._service_fixture_count['compute'] -= 1

    def restart_compute(self, hostname):
        """Start a nova-compute again, on the same host."""
        if hostname in self.computes:
            self.kill_compute(hostname)
        return self.start_compute(
            hostname,
            cell_name=self.host_mappings[hostname].cell_mapping.name,
            connection=libvirt.Connection(self.hosts.daemons[hostname]))

    def _listen(self, host: host.Host):
        """Let a compute connect and receive events as in production.

        Upstream's tests do not start the event thread, nor the executor that
        the handler of STOPPED needs.
        """
        pool = thread_pool_factory
        host._delayed_executor = (
            pool.StaticallyDelayingCancellableTaskExecutorWrapper(
                delay=15, executor=pool.get_executor(
                    pool.ExecutorType.DEFAULT)))
        connection = host.get_connection()
        host._connect = lambda uri, read_only: libvirt.Connection(
            connection.daemon)
        host.get_connection = functools.partial(GET_CONNECTION, host)
        host.get_connection()
