# SPDX-License-Identifier: Apache-2.0

"""``conn.compute`` of openstacksdk, with ``post_copy``."""

from typing import Self

from openstack.compute.v2 import _proxy
from openstack.compute.v2 import server as sdk_server
from openstack import exceptions
from openstack import resource

from openstackclient_post_copy import microversion
from openstackclient_post_copy import migration


class Proxy(_proxy.Proxy):
    """Upstream's proxy, with the fields and the argument ``post_copy``.

    All methods return migrations as the resources of
    :mod:`openstackclient_post_copy.migration`. With our microversion the cloud
    keeps showing a server's live migration after the switch to post-copy.
    """

    @classmethod
    def extend(cls, compute: _proxy.Proxy) -> Self:
        """Return a copy of upstream's proxy with our methods.

        Both share the session, the token and what is cached about the cloud.
        """
        proxy = cls.__new__(cls)
        proxy.__dict__.update(vars(compute))
        return proxy

    def live_migrate_server(
        self,
        server: str | sdk_server.Server,
        host: str | None = None,
        force: bool = False,
        block_migration: bool | str | None = None,
        disk_over_commit: bool | None = None,
        *,
        post_copy: bool | None = None,
    ) -> None:
        """Live migrate a server from one host to another.

        Without ``post_copy`` identical to upstream at every microversion.

        :param server: the ID of a server or a
            :class:`~openstack.compute.v2.server.Server`
        :param host: name of the destination, None: the scheduler chooses
        :param block_migration: True, False or 'auto', which is the default
        :param post_copy: True: the migration may switch to post-copy; False:
            it must not, even if the source host permits post-copy for all
            live migrations; None: as the source host is configured. True and
            False are sent with our microversion, which has neither ``force``
            nor ``disk_over_commit``.
        :raises ValueError: when one of these is given with ``post_copy``
        :raises openstack.exceptions.NotSupported: when the cloud does not
            know ``post_copy``; no migration has been requested then
        :raises openstack.exceptions.HttpException: when Nova refuses
        """
        if post_copy is None:
            super().live_migrate_server(server, host, force, block_migration,
                                        disk_over_commit)
            return
        if force or disk_over_commit is not None:
            raise ValueError('live_migrate_server() accepts neither force nor '
                             'disk_over_commit together with post_copy')
        microversion.require(self)
        server = self._get_resource(sdk_server.Server, server)
        response = self.post(
            '/servers/%s/action' % server.id,
            json={'os-migrateLive': {
                'host': host,
                'block_migration': ('auto' if block_migration is None
                                    else block_migration),
                'post_copy': post_copy,
            }},
            microversion=microversion.API_VERSION)
        exceptions.raise_from_response(response)

    # Upstream's methods read migrations with these two.

    def _list(self, resource_type, *args, **kwargs):
        return super()._list(_ours(resource_type), *args, **kwargs)

    def _get(self, resource_type, *args, **kwargs):
        return super()._get(_ours(resource_type), *args, **kwargs)


def _ours(resource_type: type[resource.Resource]) -> type[resource.Resource]:
    return migration.EXTENDED.get(resource_type, resource_type)
