# SPDX-License-Identifier: Apache-2.0

"""What the forms ask of Nova, beside ``openstack_dashboard.api.nova``.

By python-novaclient, as Horizon's own live migrations: Horizon 27 takes every
HTTP error of openstacksdk for a lack of authentication, and logs the user out.
"""

import logging

from django import http
from novaclient import exceptions
from novaclient_post_copy import microversion
from novaclient_post_copy import servers

from openstack_dashboard.api import _nova
from openstack_dashboard import policy

LOG = logging.getLogger(__name__)

# Nova checks both. Where Horizon's copy of Nova's policies does not know ours,
# Horizon lets it pass, and what remains is the default of ours in Nova: as
# migrate_live.
_POLICY_RULES = (
    ('compute', 'os_compute_api:os-migrate-server:migrate_live'),
    ('compute', 'os_compute_api:os-migrate-server:migrate_live:post_copy'),
)


def post_copy_offered(request: http.HttpRequest) -> bool:
    """Tell whether the user may, and the cloud can, migrate by post-copy.

    Reads the version document of the cloud if the user may. Not by Horizon's
    list of microversion features, which has every feature in a cloud whose
    version document says nothing.
    """
    if not policy.check(_POLICY_RULES, request):
        return False
    try:
        return microversion.offered(_nova.novaclient(request))
    except Exception as exc:
        # A form that can do without the answer does not fail for it.
        LOG.warning('Post-copy is not offered, because the versions of the '
                    'compute API could not be read: %s', exc)
        return False


def server_live_migrate(request: http.HttpRequest, instance_id: str,
                        host: str | None, block_migration: bool) -> None:
    """Live migrate a server that may finish by post-copy.

    :param host: the destination, None: the scheduler chooses
    :raises novaclient.exceptions.UnsupportedVersion: when the cloud does not
        know post_copy (any more); nothing has been requested then
    :raises novaclient.exceptions.ClientException: when Nova refuses
    """
    _servers(request).live_migrate(instance_id, host, block_migration,
                                   post_copy=True)


def migrate_host(request: http.HttpRequest, host: str,
                 block_migration: bool) -> dict[str, Exception]:
    """Migrate all servers of a host, the running ones live with post_copy.

    The others are cold migrated, as they are without us. One that is refused
    does not keep the rest on the host.

    :param host: the name of its nova-compute
    :returns: "name (uuid)" of each server that was refused, with the reason
    :raises novaclient.exceptions.UnsupportedVersion: as above
    :raises novaclient.exceptions.ClientException: when Nova does not list the
        servers; nothing has been requested then
    """
    live = microversion.require(_servers(request))
    upstream = _nova.novaclient(request).servers
    refused = {}
    for server in upstream.list(
            search_opts={'all_tenants': True, 'host': host}, limit=-1):
        try:
            if server.status in ('ACTIVE', 'PAUSED'):
                live.live_migrate(server.id, None, block_migration,
                                  post_copy=True)
            else:
                upstream.migrate(server.id)
        except exceptions.ClientException as exc:
            refused['%s (%s)' % (server.name, server.id)] = exc
    return refused


def _servers(request: http.HttpRequest) -> servers.ServerManager:
    return servers.ServerManager(_nova.novaclient(request))
