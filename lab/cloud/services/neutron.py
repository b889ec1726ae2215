# SPDX-License-Identifier: Apache-2.0

"""neutron: its API always, the agents only where real ports are wanted.

Without ports, Nova asks it for nothing but its list of extensions. With
them, ML2's macvtap driver plugs servers straight into the interface
``tenant`` of their host, with an agent on each host.
"""

from __future__ import annotations

import pathlib
import sys
import typing

from lab.cloud import hosts
from lab.cloud import process
from lab.cloud.services import common
from lab.cloud.services import messages
from lab import layout
from lab import wait as waiting

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud

_DIRECTORY = layout.CONFIG / 'neutron'
# The agent's contexts; the default helper needs sudo.
_PRIVSEP = ('privsep', 'privsep_link', 'privsep_namespace')
_rpc = process.Process('neutron-rpc-server')


def _agent(host: hosts.Host) -> process.Process:
    return process.Process('neutron-agent-' + host.name)


def configure(all_hosts: list[hosts.Host]) -> None:
    common.write_ini(_DIRECTORY / 'neutron.conf', {
        'DEFAULT': {
            'transport_url': common.TRANSPORT_URL,
            'state_path': layout.STATE / 'neutron',
            'core_plugin': 'ml2',
            # With the plug-ins that are loaded by default, GET /ports fails
            # until all mappers happen to be configured.
            'service_plugins': 'router,port_forwarding',
            'api_paste_config': layout.PREFIX / 'etc/neutron/api-paste.ini',
            'rpc_workers': 1,
            'rpc_state_report_workers': 0,
            'notify_nova_on_port_status_changes': True,
            'notify_nova_on_port_data_changes': True,
        },
        'database': common.database('neutron'),
        'keystone_authtoken': common.authtoken(),
        'nova': common.credentials() | {'endpoint_type': 'internal'},
        'placement': common.credentials(),
        **common.oslo('neutron'),
    })
    common.write_ini(_DIRECTORY / 'ml2.ini', {
        'ml2': {
            'type_drivers': 'flat,local,vxlan',
            'tenant_network_types': '',
            'mechanism_drivers': 'macvtap',
            'extension_drivers': 'port_security',
        },
        'ml2_type_flat': {'flat_networks': layout.PHYSICAL_NETWORK},
        'ml2_type_vxlan': {'vni_ranges': '1:1000'},
    })
    for host in all_hosts:
        common.write_ini(_DIRECTORY / ('agent-%s.ini' % host.name), {
            'DEFAULT': {
                'transport_url': common.TRANSPORT_URL,
                'host': host.name,
                'state_path': host.layout.directory / 'neutron',
            },
            'macvtap': {'physical_interface_mappings':
                        layout.PHYSICAL_NETWORK + ':tenant'},
            'securitygroup': {'enable_security_group': False,
                              'firewall_driver': 'noop'},
            'agent': {'report_interval': 5},
            **{section: {'helper_command': layout.BIN / 'privsep-helper'}
               for section in _PRIVSEP},
            **common.oslo('neutron-agent-' + host.name),
        })


def sync() -> list[list]:
    return [[layout.BIN / 'neutron-db-manage', '--config-file',
             _DIRECTORY / 'neutron.conf', '--config-file',
             _DIRECTORY / 'ml2.ini', 'upgrade', 'heads']]


def start() -> None:
    common.start_wsgi('neutron', 'neutron.wsgi.api', {
        'OS_NEUTRON_CONFIG_DIR': str(_DIRECTORY),
        'OS_NEUTRON_CONFIG_FILES': 'neutron.conf;ml2.ini'})


def wait() -> None:
    common.wait_wsgi('neutron')


def start_ports(all_hosts: list[hosts.Host]) -> None:
    """Start what real ports need: the RPC server and the agents."""
    _rpc.start([layout.BIN / 'neutron-rpc-server',
                '--config-file', _DIRECTORY / 'neutron.conf',
                '--config-file', _DIRECTORY / 'ml2.ini'])
    messages.wait_consumer(_rpc, 'q-plugin')
    for host in all_hosts:
        _agent(host).start(
            # -P: or our neutron.py would be found in place of neutron.
            [sys.executable, '-P',
             pathlib.Path(__file__).with_name('macvtap_agent.py'),
             '--config-file',
             _DIRECTORY / ('agent-%s.ini' % host.name)],
            enter=host.enter())


def wait_ports(cloud: lab_cloud.Cloud, limit: float = 90) -> None:
    """Wait until the agents have reported themselves."""
    for host in cloud.hosts.values():
        agent = _agent(host)
        waiting.until(
            lambda host=host: cloud.get(
                'network', '/v2.0/agents?alive=true&host=' + host.name
            )['agents'],
            'neutron agent on ' + host.name, limit, agent.log,
            alive=agent.is_alive, interval=0.3)


def processes(all_hosts: list[hosts.Host]) -> list[process.Process]:
    """Return the processes of :func:`start_ports`."""
    return [_rpc, *(_agent(host) for host in all_hosts)]
