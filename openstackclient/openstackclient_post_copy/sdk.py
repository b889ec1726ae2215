# SPDX-License-Identifier: Apache-2.0

"""Post-copy in a connection of openstacksdk, by vendor hook.

The hook is named in ``clouds.yaml``, beside the cloud's ``auth``, or when the
connection is made::

    import openstack

    conn = openstack.connect(
        cloud='lab',
        vendor_hook='openstackclient_post_copy.sdk:vendor_hook')

    server = conn.compute.find_server('busy', ignore_missing=False)
    conn.compute.live_migrate_server(server, post_copy=True)

    for migration in conn.compute.migrations(server_id=server.id):
        print(migration.id, migration.status, migration.post_copy)

Errors are those of the SDK: ``openstack.exceptions.NotSupported`` if the cloud
does not offer our microversion (no migration has been requested then), and an
``HttpException`` with Nova's message if Nova refuses.
"""

from openstack.compute import compute_service
from openstack import connection

from openstackclient_post_copy import proxy


class ComputeService(compute_service.ComputeService):
    supported_versions = {'2': proxy.Proxy}


def vendor_hook(conn: connection.Connection) -> None:
    """Replace ``compute`` of a connection that is being made."""
    # add_service() changes the class. This connection gets a class of its own,
    # so that connections to other clouds stay as they are.
    upstream = type(conn)
    conn.__class__ = type(upstream.__name__, (upstream,), {})
    conn.add_service(ComputeService('compute'))
