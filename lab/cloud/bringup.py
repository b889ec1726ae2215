# SPDX-License-Identifier: Apache-2.0

"""The order in which the lab comes up, and how it goes away.

Each step names the steps that must be done before it; what does not depend on
each other runs at the same time. On few processors this is a question of what
to start first, not of how many at once: loading the services is nearly all of
the time.
"""

from __future__ import annotations

from collections.abc import Callable
import concurrent.futures
import graphlib
import shutil
import typing

from lab.cloud import certificates
from lab.cloud import content
from lab.cloud import host_init
from lab.cloud import lock
from lab.cloud import machine
from lab.cloud import network
from lab.cloud import process
from lab.cloud import schemas
from lab.cloud.services import cinder
from lab.cloud.services import database
from lab.cloud.services import glance
from lab.cloud.services import horizon
from lab.cloud.services import keystone
from lab.cloud.services import messages
from lab.cloud.services import neutron
from lab.cloud.services import nova
from lab.cloud.services import placement
from lab.cloud import speed
from lab import errors
from lab import layout
from lab import wait

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab.cloud import hosts as lab_hosts

# Not allowed to unprivileged processes on most machines; QEMU is one.
_SYSCTLS = {'vm.unprivileged_userfaultfd': '1'}


def up(cloud: lab_cloud.Cloud, say: Callable[[str], None],
       again: bool) -> None:
    """Bring up what is not up. See :meth:`lab.cloud.cloud.Cloud.up`."""
    with lock.exclusive():
        lock.check_not_foreign()
        _clear_what_is_in_the_way(cloud, say)
        # What is up stays as it is.
        cloud.tls = cloud.tls or lock.owner().get('tls', False)
        lock.own({'extended': cloud.extended, 'horizon': cloud.horizon,
                  'ports': cloud.ports, 'storage': cloud.storage.name,
                  'tls': cloud.tls})
        notice = speed.refresh().notice()
        for sentence in [] if again else notice:
            say(sentence)
        wait.given_up.clear()
        for name, value in _SYSCTLS.items():
            machine.set_sysctl(name, value)
        for path in host_init.MOUNTS:
            machine.make_directory(path)
        _configure(cloud)
        _run(_steps(cloud, say), say)


def down(cloud: lab_cloud.Cloud, say: Callable[[str], None]) -> None:
    """Remove the lab. See :meth:`lab.cloud.cloud.Cloud.down`."""
    with lock.exclusive():
        lock.check_not_foreign()
        _remove(cloud, say)
        shutil.rmtree(layout.RUN)


def expected(cloud: lab_cloud.Cloud) -> list[process.Process]:
    """Return every process that a complete lab has."""
    hosts = list(cloud.hosts.values())
    names = ['mariadb', 'epmd', 'rabbitmq', *layout.API_PORTS]
    return [*(process.Process(name) for name in names),
            nova.CONDUCTOR, nova.SCHEDULER,
            *(host.init for host in hosts),
            *(host.compute for host in hosts),
            *cloud.storage.processes(),
            *(cinder.processes() if cloud.storage.volumes else []),
            *_added(cloud)]


def _added(cloud: lab_cloud.Cloud) -> list[process.Process]:
    """Return what can be added to a lab that is up."""
    return [*([process.Process(horizon.NAME)] if cloud.horizon else []),
            *(neutron.processes(list(cloud.hosts.values()))
              if cloud.ports else [])]


def missing(cloud: lab_cloud.Cloud) -> list[str]:
    """Return the names of what should be running and is not."""
    return [found.name for found in expected(cloud) if not found.is_alive()]


def _clear_what_is_in_the_way(cloud: lab_cloud.Cloud,
                              say: Callable[[str], None]) -> None:
    """Begin anew unless the lab that is there can be used as it is."""
    there = lock.owner()
    if not there and not network.namespaces() and not process.recorded():
        shutil.rmtree(layout.LOGS, ignore_errors=True)
        return
    if lock.is_ours():
        if there['extended'] != cloud.extended and not missing(cloud):
            raise errors.LabError(
                'the lab is up %s nova-post-copy; "lab down" first'
                % ('with' if there['extended'] else 'without'))
        if cloud.tls and not there.get('tls') and not missing(cloud):
            raise errors.LabError(
                'the lab is up without encryption of migrations; "lab down" '
                'first')
        if cloud.storage.name != there.get('storage') and not missing(cloud):
            raise errors.LabError(
                'the lab is up with the storage %s; "lab down" first'
                % there.get('storage'))
        dead = [found.name for found in process.recorded()
                if not found.is_alive()]
        if not dead and not missing(cloud):
            return
        if not dead and there['extended'] == cloud.extended and set(
                missing(cloud)) <= {found.name for found in _added(cloud)}:
            return
    say('a lab that is not complete is in the way; it is removed')
    _remove(cloud, say)
    shutil.rmtree(layout.LOGS, ignore_errors=True)


def _configure(cloud: lab_cloud.Cloud) -> None:
    hosts = list(cloud.hosts.values())
    for service in (keystone, placement, glance):
        service.configure()
    neutron.configure(hosts)
    if cloud.horizon:
        horizon.configure(cloud.extended)
    cinder.configure()
    cloud.storage.configure()
    nova.configure(hosts, cloud.extended, cloud.tls)
    certificates.create(layout.HOSTS)


def _steps(
        cloud: lab_cloud.Cloud, say: Callable[[str], None],
) -> dict[str, tuple[Callable[[], None], set[str]]]:
    """Return the function of each step and the steps before it.

    Of the steps that are possible at a time, the first in the table is begun
    first.
    """
    hosts = list(cloud.hosts.values())

    def start_host(host: lab_hosts.Host):
        host.start()
        host.wait()
        cloud.storage.prepare(host)

    def api(service):
        service.start()
        service.wait()

    def nova_api():
        nova.start_api()
        nova.wait_api()
        content.flavors(cloud.nova())

    def cinder_api():
        cinder.start_api()
        cinder.wait_api()

    def compute(host: lab_hosts.Host):
        host.start_compute()
        nova.wait_for_compute(cloud, host)

    def ports():
        if not all(found.is_alive() for found in neutron.processes(hosts)):
            network.separate_interface_numbers()
        neutron.start_ports(hosts)
        neutron.wait_ports(cloud)
        content.tenant_network(cloud.session)

    steps = {
        'networks': (lambda: network.create(cloud.bandwidth), set()),
        'storage': (cloud.storage.start, {'networks'}),
        'databases': (lambda: schemas.start(cloud, say), set()),
        'messages': (_messages, {'networks'}),
        'keystone': (lambda: api(keystone), {'networks', 'databases'}),
    }
    for host in hosts:
        steps[host.name] = (lambda host=host: start_host(host), {'networks'})
    steps |= {
        'placement': (lambda: api(placement), {'networks', 'databases'}),
        'catalogue': (lambda: content.catalogue(cloud.storage.volumes),
                      {'keystone'}),
        'conductor': (nova.start_conductor, {'messages', 'catalogue'}),
        'nova-api': (nova_api, {'databases', 'messages', 'catalogue'}),
    }
    for host in hosts:
        steps['compute on ' + host.name] = (
            lambda host=host: compute(host),
            {host.name, 'conductor', 'placement', 'storage'})
    steps |= {
        'scheduler': (nova.start_scheduler, {'messages', 'catalogue'}),
        'neutron': (lambda: api(neutron),
                    {'networks', 'databases', 'messages'}),
        'glance': (lambda: api(glance), {'networks', 'databases'}),
        'image': (lambda: content.guest_image(cloud.session),
                  {'glance', 'catalogue'}),
    }
    if cloud.storage.volumes:
        steps |= {
            'cinder': (cinder_api, {'databases', 'messages', 'catalogue'}),
            'volumes': (cinder.start_volume,
                        {'storage', 'databases', 'messages', 'catalogue'}),
            'scheduler of volumes': (cinder.start_scheduler,
                                     {'databases', 'messages'}),
        }
    if cloud.horizon:
        steps['horizon'] = (lambda: api(horizon), {'keystone'})
    if cloud.ports:
        steps['ports'] = (ports, {'neutron', 'catalogue', 'messages',
                                  *cloud.hosts})
    return steps


def _messages() -> None:
    messages.start()
    messages.wait_ready()


def _run(steps: dict, say: Callable[[str], None]) -> None:
    """Run the steps, each when those before it are done.

    :raises LabError: of the step that failed first
    """
    order = graphlib.TopologicalSorter(
        {name: before for name, (_, before) in steps.items()})
    order.prepare()
    rank = list(steps).index
    failure = None
    running: dict[concurrent.futures.Future, str] = {}
    with concurrent.futures.ThreadPoolExecutor(len(steps)) as pool:
        try:
            while order.is_active() and failure is None:
                for name in sorted(order.get_ready(), key=rank):
                    running[pool.submit(steps[name][0])] = name
                done, _ = concurrent.futures.wait(
                    running, timeout=1,
                    return_when=concurrent.futures.FIRST_COMPLETED)
                for future in done:
                    name = running.pop(future)
                    if future.exception():
                        failure = failure or future.exception()
                        say('%s: failed' % name)
                    else:
                        say(name)
                        order.done(name)
        finally:
            if order.is_active():
                wait.given_up.set()
    if failure is not None:
        raise failure


def _remove(cloud: lab_cloud.Cloud, say: Callable[[str], None]) -> None:
    """Remove whatever of the lab is there, in any state."""
    wait.given_up.set()
    hosts = list(cloud.hosts.values())
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda host: host.stop(), hosts))
        # Nothing of what they would still write is wanted.
        list(pool.map(lambda found: found.end(grace=0), process.recorded()))
    cloud.storage.remove()
    network.remove()
    machine.restore()
    for path in (database.DATA, messages.DIRECTORY, layout.STATE / 'hosts',
                 layout.STATE / 'images', layout.INSTANCES):
        shutil.rmtree(path, ignore_errors=True)
    lock.disown()
    say('the lab is removed; its logs are in %s' % layout.LOGS)
