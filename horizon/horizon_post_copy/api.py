# SPDX-License-Identifier: Apache-2.0

"""The requests of the forms to Nova, beside ``openstack_dashboard.api.nova``.

They use python-novaclient, as Horizon's own live migrations do: Horizon 27
treats every HTTP error of openstacksdk as a missing authentication, and logs
the user out.
"""

import logging

from django import http
from novaclient import exceptions
from novaclient_post_copy import microversion
from novaclient_post_copy import servers

from openstack_dashboard.api import _nova
from openstack_dashboard import policy

LOG = logging.getLogger(__name__)

# Nova checks both rules. If the second is missing in Horizon's copy of Nova's
# policies, Horizon checks only the first: Nova's default for the second.
_POLICY_RULES = (
    ('compute', 'os_compute_api:os-migrate-server:migrate_live'),
    ('compute', 'os_compute_api:os-migrate-server:migrate_live:post_copy'),
)


def post_copy_offered(request: http.HttpRequest) -> bool:
    """Tell whether the user may choose post-copy, and the cloud offers it.

    Reads the version document of the cloud if the user may. Horizon's own list
    of microversion features is not used: with an empty version document that
    list claims every feature.
    """
    if not policy.check(_POLICY_RULES, request):
        return False
    try:
        return microversion.offered(_nova.novaclient(request))
    except Exception as exc:
        # The form works without the checkbox.
        LOG.warning('Not offering post-copy: the versions of the compute API '
                    'could not be read: %s', exc)
        return False


def server_live_migrate(request: http.HttpRequest, instance_id: str,
                        host: str | None, block_migration: bool) -> None:
    """Live migrate a server, and let the migration switch to post-copy.

    :param host: the destination, None: the scheduler chooses
    :raises novaclient.exceptions.UnsupportedVersion: when the cloud does not
        know post_copy; no migration has been requested then
    :raises novaclient.exceptions.ClientException: when Nova refuses
    """
    _servers(request).live_migrate(instance_id, host, block_migration,
                                   post_copy=True)


def migrate_host(request: http.HttpRequest, host: str,
                 block_migration: bool) -> dict[str, Exception]:
    """Migrate all servers of a host, running and paused ones with post_copy.

    The others are cold migrated, as by Horizon's own form. After a refusal the
    remaining servers are still migrated.

    :param host: the host name of the nova-compute
    :returns: the refused servers as "name (uuid)", each with the reason
    :raises novaclient.exceptions.UnsupportedVersion: as above
    :raises novaclient.exceptions.ClientException: when Nova does not list the
        servers; no migration has been requested then
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
