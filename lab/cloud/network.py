# SPDX-License-Identifier: Apache-2.0

"""The networks between the hosts and this machine.

``management`` carries the API, messages and consoles, ``migration`` carries
migrations and nothing else, so that it can be limited or cut alone,
``recovery`` is the second way of a migration whose first is cut, and
``tenant`` carries what servers say to each other. Each is a bridge in a
namespace of its own and an interface of the same name in every host.
"""

import subprocess

from lab import layout

NETWORKS = ('management', 'migration', 'recovery', 'tenant')


def ip(*arguments: str, namespace: str | None = None,
       batch: list[str] | None = None, check: bool = True) -> str:
    """Run ip(8), on one command or on a batch of them."""
    command = ['ip']
    if namespace:
        command += ['-netns', namespace]
    command += ['-batch', '-'] if batch else list(arguments)
    return subprocess.run(
        command, input='\n'.join(batch) if batch else None, check=check,
        capture_output=not check, stdout=subprocess.PIPE if check else None,
        text=True).stdout


def namespaces() -> list[str]:
    """Return the namespaces of the lab that exist."""
    ours = [layout.FABRIC, *(host.namespace for host in layout.HOSTS)]
    exist = {line.split()[0] for line in ip('netns', 'list').splitlines()}
    return [name for name in ours if name in exist]


def pids(namespace: str) -> list[int]:
    """Return the processes that are in a namespace."""
    return [int(pid) for pid in
            ip('netns', 'pids', namespace, check=False).split()]


def create(bandwidth: int) -> None:
    """Create what does not exist yet.

    :param bandwidth: bytes per second that leave a host on the migration
        network
    """
    exist = namespaces()
    if layout.FABRIC not in exist:
        _create_fabric()
    for host in layout.HOSTS:
        if host.namespace not in exist:
            _create_host(host)
        limit_migration(host, bandwidth)


def _create_fabric() -> None:
    ip('netns', 'add', layout.FABRIC)
    ip(namespace=layout.FABRIC, batch=[
        line for network in NETWORKS for line in (
            'link add %s type bridge forward_delay 0' % network,
            'link set %s up' % network)])
    ip(batch=[
        line for link, network, address in (
            (layout.MACHINE_LINK, 'management', layout.MACHINE),
            (layout.TENANT_LINK, 'tenant', layout.TENANT_MACHINE))
        for line in (
            'link add %s type veth peer name machine-%s netns %s' % (
                link, network[:6], layout.FABRIC),
            'address add %s/24 dev %s' % (address, link),
            'link set %s up' % link)])
    ip(namespace=layout.FABRIC, batch=[
        'link set machine-%s master %s up' % (network[:6], network)
        for network in ('management', 'tenant')])


def _create_host(host: layout.HostLayout) -> None:
    ip('netns', 'add', host.namespace)
    ip(namespace=host.namespace, batch=[
        'link set lo up',
        *(line for network in NETWORKS for line in (
            'link add %s type veth peer name %s netns %s' % (
                network, port(host, network), layout.FABRIC),
            'link set %s up' % network)),
        'address add %s/24 dev management' % host.management,
        'address add %s/24 dev migration' % host.migration,
        'address add %s/24 dev recovery' % host.recovery])
    ip(namespace=layout.FABRIC, batch=[
        'link set %s master %s up' % (port(host, network), network)
        for network in NETWORKS])


def port(host: layout.HostLayout, network: str) -> str:
    """Return the bridge's port towards a host; at most 15 characters."""
    return '%s-%s' % (host.name, network[:6])


def separate_interface_numbers() -> None:
    """Let the numbers of new interfaces differ from host to host.

    The device of a macvtap interface is /dev/tapN by the number of the
    interface, and the hosts share /dev: two servers with the same N would
    share a device. The kernel counts up, so let it count.
    """
    for host in layout.HOSTS[1:]:
        ip(namespace=host.namespace, batch=[
            *('link add unused%d group 7 type bridge' % number
              for number in range(64 * host.number)),
            'link delete group 7'])


def limit_migration(host: layout.HostLayout, bandwidth: int) -> None:
    """Limit what leaves a host on the migration network, in bytes/s.

    On the link and not only in libvirt: ``live_migration_bandwidth`` does
    not bind the post-copy phase.
    """
    # Ten milliseconds' worth is what a bucket needs at least to be exact.
    burst = max(bandwidth // 100, 256 * 1024)
    subprocess.run(
        ['tc', '-netns', host.namespace, 'qdisc', 'replace', 'dev',
         'migration', 'root', 'tbf', 'rate', '%dbps' % bandwidth,
         'burst', str(burst), 'latency', '50ms'], check=True)


def connect(host: layout.HostLayout, network: str, connected: bool) -> None:
    """Plug or pull the cable of one of a host's networks."""
    ip('link', 'set', port(host, network), 'up' if connected else 'down',
       namespace=layout.FABRIC)


def reset_migration_streams(host: layout.HostLayout) -> None:
    """Let all TCP streams of the migration network fail at once."""
    subprocess.run(
        ['ip', 'netns', 'exec', host.namespace, 'ss', '--kill', '--tcp',
         'src', host.migration], check=True, stdout=subprocess.DEVNULL)


def filter_migration(host: layout.HostLayout, verdict: str | None,
                     ports: str | None = None) -> None:
    """Treat the TCP that comes in on the migration network as nft(8) says.

    :param verdict: such as ``drop``; None: let it through
    :param ports: of the service, on either host; None: all
    """
    rules = ['table inet lab', 'delete table inet lab']
    if verdict is not None:
        rules += ['table inet lab { chain in {',
                  'type filter hook input priority 0',
                  *('iifname "migration" %s %s' % (packets, verdict)
                    for packets in (
                        ['meta l4proto tcp'] if ports is None else
                        ['tcp dport { %s }' % ports,
                         'tcp sport { %s }' % ports])),
                  '}', '}']
    subprocess.run(['ip', 'netns', 'exec', host.namespace, 'nft', '-f', '-'],
                   input='\n'.join(rules), text=True, check=True)


def remove() -> None:
    """Remove the networks; nothing may run in the namespaces any more."""
    for name in namespaces():
        ip('netns', 'delete', name)
    for link in (layout.MACHINE_LINK, layout.TENANT_LINK):
        ip('link', 'delete', link, check=False)
