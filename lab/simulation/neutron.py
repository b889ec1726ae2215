# SPDX-License-Identifier: Apache-2.0

"""A neutron whose port bindings are those of ML2.

Extends upstream's fixture, which overwrites and accepts where neutron refuses.
The rules are those of neutron's own ``plugins/ml2/plugin.py`` (version 29) and
of the key of its table ``ml2_port_bindings``, a port and a host:

* A second binding of a port to a host is refused: 409.
* To activate the active binding is refused (409), one that does not exist too
  (404). Activation moves ACTIVE and leaves the other one INACTIVE.
* ``binding:host_id`` in an update of the port moves the *active* binding to
  another host. Where that host has an inactive one, the key exists already:
  500, after neutron has tried ten times.
* A list that is filtered by ``binding:host_id`` has the ports with *any*
  binding to the host (``_ml2_port_result_filter_hook``).
* A port that is deleted takes its bindings with it.
"""

import copy

from keystoneauth1 import exceptions as keystone_exceptions
from neutronclient.common import exceptions
from nova.tests import fixtures as nova_fixtures

from lab.simulation import outage

_HOST_ID = 'binding:host_id'


class Neutron(nova_fixtures.NeutronFixture):
    """Replaces upstream's fixture; use after it."""

    def __init__(self, test) -> None:
        super().__init__(test)
        self.outage = outage.Outage(lambda: keystone_exceptions.ConnectFailure(
            'Unable to establish connection to http://neutron:9696'))

    def _get_client(self, context, admin=False):
        return _Client(super()._get_client(context, admin), self.outage)

    # What tests ask

    def bindings(self, server: str) -> dict[str, dict[str, str]]:
        """Map the ports of a server to the hosts and states of bindings."""
        return {port['id']: {
            host: binding['status'] for host, binding
            in self._port_bindings[port['id']].items() if host}
            for port in list(self._ports.values())
            if port.get('device_id') == server}

    # neutron's API

    def create_port(self, body=None):
        # Upstream's lets its default port win over what was asked for.
        port = self._ports[super().create_port(body)['port']['id']]
        port.update(copy.deepcopy((body or {}).get('port', {})))
        return {'port': copy.deepcopy(port)}

    def create_port_binding(self, port_id, body):
        self._find(port_id)
        host = body['binding']['host']
        if host in self._port_bindings[port_id]:
            raise exceptions.Conflict(
                message='Binding for port %s on host %s already exists.'
                % (port_id, host))
        return super().create_port_binding(port_id, body)

    def activate_port_binding(self, port_id, host_id):
        self._find(port_id)
        active, _ = self._get_active_binding(port_id)
        if active == host_id:
            raise exceptions.Conflict(
                message='Binding for port %s on host %s is already active.'
                % (port_id, host_id))
        super().activate_port_binding(port_id, host_id)

    def show_port(self, port_id, **_params):
        self._find(port_id)
        return super().show_port(port_id, **_params)

    def list_ports(self, is_admin, retrieve_all=True, **_params):
        host = _params.pop(_HOST_ID, None)
        ports = super().list_ports(is_admin, retrieve_all, **_params)['ports']
        return {'ports': [
            port for port in ports
            if host is None or host in self._port_bindings[port['id']]]}

    def update_port(self, port_id, body=None):
        port = self._find(port_id)
        active, _ = self._get_active_binding(port_id)
        changes = dict(body['port'])
        host = changes.get(_HOST_ID)
        if host and host != active and host in self._port_bindings[port_id]:
            raise exceptions.InternalServerError(
                message='Request Failed: internal server error while '
                'processing your request.')
        if active is None and not host:
            # Nothing is bound, so only the port itself changes.
            port.update(changes)
            return {'port': dict(port)}
        result = super().update_port(port_id, body)
        if host and active and host != active:
            self._port_bindings[port_id].pop(active, None)
        return result

    def delete_port(self, port_id, **_params):
        self._find(port_id)
        super().delete_port(port_id, **_params)

    def _find(self, port_id: str) -> dict:
        if port_id not in self._ports:
            raise exceptions.PortNotFoundClient(
                message='Port %s could not be found.' % port_id)
        return self._ports[port_id]


class _Client:
    """A client of neutron whose requests fail during an outage."""

    def __init__(self, client, failing: outage.Outage) -> None:
        self._client = client
        self._outage = failing

    def __getattr__(self, name: str):
        call = getattr(self._client, name)

        def request(*args, **kwargs):
            self._outage.check(name)
            return call(*args, **kwargs)

        return request
