# SPDX-License-Identifier: Apache-2.0

"""Nova: API, conductor, scheduler and a compute on each host.

Unmodified upstream; with ``extended``, the lines of nova.conf that load
nova-post-copy are added and its column is made, and nothing else differs.
"""

from __future__ import annotations

from collections.abc import Mapping
import datetime
import functools
import typing

from lab.cloud import hosts
from lab.cloud import process
from lab.cloud.services import common
from lab.cloud.services import messages
from lab import layout
from lab import wait as waiting

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud

_DIRECTORY = layout.CONFIG / 'nova'
CONFIGURATION = _DIRECTORY / 'nova.conf'   # of the controller
# The last report of a killed compute may be written so much later,
# and no compute is up so soon.
_LATE_S = 2
CONDUCTOR = process.Process('nova-conductor')
SCHEDULER = process.Process('nova-scheduler')

# What an operator adds to nova.conf.
LOADING = {
    'DEFAULT': {'config_source': 'nova_post_copy'},
    'nova_post_copy': {'driver': 'nova_post_copy'},
}
# What an operator sets to have migrations encrypted: libvirt's conversation,
# and the memory and disks that QEMU sends.
TLS = {
    'live_migration_scheme': 'tls',
    'live_migration_with_native_tls': True,
}


def _with_loading(sections: dict, extended: bool) -> dict:
    if extended:
        for section, options in LOADING.items():
            sections[section] = sections.get(section, {}) | options
    return sections


def configure(all_hosts: list[hosts.Host], extended: bool,
              tls: bool) -> None:
    common.write_ini(_DIRECTORY / 'nova.conf', _with_loading(
        _controller() | all_hosts[0].storage.clients(), extended))
    # A flavor without a disk takes the size of the image; what is copied in
    # a block migration is then only what the guest has.
    (_DIRECTORY / 'policy.yaml').write_text(
        '"os_compute_api:servers:create:zero_disk_flavor": ""\n')
    paste = _DIRECTORY / 'api-paste.ini'
    paste.unlink(missing_ok=True)
    paste.symlink_to(layout.PREFIX / 'etc/nova/api-paste.ini')
    for host in all_hosts:
        state = host.layout.directory / 'nova'
        state.mkdir(parents=True, exist_ok=True)
        # The compute node keeps its identity over runs of the lab.
        (state / 'compute_id').write_text(host.layout.uuid + '\n')
        configure_compute(host, extended, TLS if tls else {})


def configure_compute(host: hosts.Host, extended: bool,
                      libvirt: dict[str, object],
                      post_copy: dict[str, object] | None = None,
                      default: dict[str, object] | None = None) -> None:
    """Write nova.conf of a compute.

    :param libvirt: options on top of those of the lab
    :param post_copy: options of nova-post-copy; the lab sets none
    :param default: options of ``[DEFAULT]`` on top of those of the lab
    """
    sections = _compute(host, extended)
    sections['DEFAULT'] |= default or {}
    sections['libvirt'] |= libvirt
    sections['post_copy'] = post_copy or {}
    common.write_ini(_DIRECTORY / ('compute-%s.conf' % host.name),
                     _with_loading(sections, extended))


def restart_computes(cloud: lab_cloud.Cloud, extended: bool,
                     libvirt: Mapping[str, dict[str, object]],
                     **options) -> None:
    """Start computes with other options; return when they are up.

    :param libvirt: options on top of those of the lab, by host
    :param options: see :func:`configure_compute`
    """
    restarted = [cloud.host(name) for name in libvirt]
    for host in restarted:
        configure_compute(host, extended, libvirt[host.name], **options)
        host.kill_compute()
        host.start_compute()
    for host in restarted:
        wait_for_compute(cloud, host)


def _clients() -> dict[str, dict]:
    return {
        'placement': common.credentials(),
        'glance': common.credentials() | {'num_retries': 1},
        'neutron': common.credentials(),
        'keystone': {'valid_interfaces': 'internal',
                     'region_name': layout.REGION},
    }


def _controller() -> dict[str, dict]:
    return {
        'DEFAULT': {
            'transport_url': common.TRANSPORT_URL,
            'host': 'controller',
            'state_path': layout.STATE / 'nova',
            'graceful_shutdown_timeout': 5,
            # Or the first look for new hosts is up to a minute away.
            'periodic_fuzzy_delay': 0,
        },
        'api_database': common.database('nova_api'),
        'database': common.database('nova_cell1'),
        'keystone_authtoken': common.authtoken(),
        'conductor': {'workers': 1},
        # New computes are seen without a command of their own.
        'scheduler': {'workers': 1, 'discover_hosts_in_cells_interval': 2},
        'oslo_policy': {'policy_file': _DIRECTORY / 'policy.yaml'},
        **_clients(),
        **common.oslo('nova'),
    }


def _compute(host: hosts.Host, extended: bool) -> dict:
    privsep = {'helper_command': '%s --config-file %s' % (
        layout.BIN / 'privsep-helper',
        _DIRECTORY / ('compute-%s.conf' % host.name))}
    return {
        'DEFAULT': {
            'transport_url': common.TRANSPORT_URL,
            'host': host.name,
            'my_ip': host.layout.management,
            'state_path': host.layout.directory / 'nova',
            'instances_path': layout.INSTANCES,
            'compute_driver': ('post_copy.LibvirtDriver' if extended
                               else 'libvirt.LibvirtDriver'),
            # Seen to be up again soon after a restart.
            'report_interval': 2,
            'graceful_shutdown_timeout': 5,
            'manager_shutdown_timeout': 3,
            'vif_plugging_is_fatal': False,
            'vif_plugging_timeout': 30,
            'reserved_host_memory_mb': 0,
        },
        'libvirt': {
            'virt_type': 'qemu',
            'cpu_mode': 'none',
            'hw_machine_type': 'x86_64=q35',
            **host.storage.disks(),
            'live_migration_scheme': 'tcp',
            'live_migration_inbound_addr': host.layout.migration,
            'live_migration_bandwidth':
                layout.MIGRATION_BANDWIDTH_BYTES_PER_S // layout.MIB,
        },
        # On the destination of a block migration, Nova inspects kernels as if
        # they were disks, and refuses them.
        'workarounds': {'disable_deep_image_inspection': True},
        'vnc': {'enabled': False},
        'serial_console': {
            'enabled': True,
            'proxyclient_address': host.layout.management,
        },
        'vif_plug_linux_bridge_privileged': privsep,
        'vif_plug_ovs_privileged': privsep,
        'nova_sys_admin': privsep,
        'privsep_osbrick': privsep,
        **_clients(),
        **host.storage.clients(),
        **common.oslo('nova-' + host.name),
    }


def sync(extended: bool) -> list[list]:
    manage = [layout.BIN / 'nova-manage', '--config-file',
              _DIRECTORY / 'nova.conf']
    cell0 = common.database('nova_cell0')['connection']
    commands = [
        [*manage, 'api_db', 'sync'],
        [*manage, 'cell_v2', 'map_cell0', '--database_connection', cell0],
        [*manage, 'cell_v2', 'create_cell', '--name', 'cell1'],
        [*manage, 'db', 'sync'],
    ]
    if extended:
        commands.append([
            layout.BIN / 'nova-post-copy-manage', '--config-file',
            _DIRECTORY / 'nova.conf', 'db', 'sync'])
    return commands


def start_api() -> None:
    common.start_wsgi('nova-api', 'nova.wsgi.osapi_compute',
                      {'OS_NOVA_CONFIG_DIR': str(_DIRECTORY)})


def wait_api() -> None:
    common.wait_wsgi('nova-api')


def start(service: process.Process, topic: str) -> None:
    """Start the conductor or the scheduler and wait until it takes calls."""
    service.start([layout.BIN / service.name, '--config-file',
                   _DIRECTORY / 'nova.conf'])
    messages.wait_consumer(service, topic)


start_conductor = functools.partial(start, CONDUCTOR, 'conductor')
start_scheduler = functools.partial(start, SCHEDULER, 'scheduler')


def _seconds_after(begin: str, end: str) -> float:
    return (datetime.datetime.fromisoformat(end)
            - datetime.datetime.fromisoformat(begin)).total_seconds()


def wait_for_compute(cloud: lab_cloud.Cloud, host: hosts.Host,
                     limit: float = 90) -> None:
    """Wait until a nova-compute can be chosen for a server.

    That is: it has reported itself since it was started, and since this is
    asked, and its host is mapped to the cell and has an inventory in
    placement.
    """
    asked = datetime.datetime.now(datetime.UTC).isoformat()[:19]

    def ready() -> bool:
        services = cloud.nova().services.list(host.name, 'nova-compute')
        if not services or services[0].state != 'up':
            return False
        # None until the first report of a service that was just made, by the
        # compute that was started or by one that has been killed since.
        updated = services[0].updated_at
        if not updated or _seconds_after(
                host.compute.began, updated) < waiting.scaled(_LATE_S):
            return False
        # One that hangs is taken for up for a minute more.
        if _seconds_after(asked, updated) < 0:
            return False
        mapped = cloud.nova('2.53').hypervisors.list()
        # Asked in this way, no provider and one without inventory are alike.
        return (any(found.service['host'] == host.name for found in mapped)
                and cloud.get(
                    'placement', '/resource_providers?resources=VCPU:1&uuid='
                    + host.layout.uuid,
                    microversion='1.4')['resource_providers'])

    waiting.until(ready, 'nova-compute on ' + host.name, limit,
                  host.compute.log, interval=0.3,
                  alive=host.compute.is_alive)
