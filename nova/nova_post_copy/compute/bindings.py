# SPDX-License-Identifier: Apache-2.0

"""Let the port bindings of a server follow its guest.

Upstream activates and deletes bindings at certain steps, and takes a neutron
that fails for one that has done it. Here neutron is asked: where the guest is,
the bindings have to be active, and of the other hosts of the migration none
may be left. Each function may be called again until neutron agrees.
"""

from collections.abc import Iterable

from neutronclient.common import exceptions as neutron_exception
from oslo_log import log as logging

from nova.compute import manager as upstream
from nova import context as nova_context
from nova.network import neutron
from nova import objects

LOG = logging.getLogger(__name__)

_ACTIVE = 'ACTIVE'


def activate(manager: upstream.ComputeManager,
             context: nova_context.RequestContext,
             instance: objects.Instance, host: str) -> bool:
    """Activate the bindings of a host, where it has any.

    :returns: whether any was not active
    :raises Exception: neutron does not answer, or refuses
    """
    if not manager.network_api.has_port_binding_extension(context):
        return False
    client = neutron.get_client(context, admin=True)
    inactive = [
        port for port in _ports(manager, context, instance)
        if _status(client, port, host) not in (None, _ACTIVE)]
    for port in inactive:
        LOG.info('Activating the binding of port %(port)s on %(host)s, where '
                 'the server is', {'port': port, 'host': host},
                 instance=instance)
        try:
            client.activate_port_binding(port, host)
        except neutron_exception.Conflict:
            # Another thread was faster.
            pass
    return bool(inactive)


def settle(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           instance: objects.Instance, others: Iterable[str]) -> None:
    """Compare the bindings with where an instance is, and correct them.

    :param others: hosts on which it is not
    :raises Exception: neutron does not answer, or refuses
    """
    if not manager.network_api.has_port_binding_extension(context):
        return
    changed = activate(manager, context, instance, instance.host)
    client = neutron.get_client(context, admin=True)
    for host in others:
        stale = [port for port in _ports(manager, context, instance)
                 if _status(client, port, host) is not None]
        if not stale:
            continue
        # As upstream does: the profile of the port names the host, too.
        manager.network_api.setup_networks_on_host(
            context, instance, host=host, teardown=True)
        changed = True
    if changed:
        manager.network_api.get_instance_nw_info(context, instance)


def _ports(manager: upstream.ComputeManager,
           context: nova_context.RequestContext,
           instance: objects.Instance) -> list[str]:
    return [port['id'] for port in manager.network_api.list_ports(
        context, device_id=instance.uuid)['ports']]


def _status(client: neutron.ClientWrapper, port: str,
            host: str) -> str | None:
    """Return the status of a binding; None if there is none."""
    try:
        return client.show_port_binding(port, host)['binding']['status']
    except neutron_exception.NeutronClientException as exc:
        if exc.status_code != 404:
            raise
        return None
