# SPDX-License-Identifier: Apache-2.0

"""``conn.compute`` of openstacksdk, with ``post_copy``."""

from typing import Self

from openstack.compute.v2 import _proxy
from openstack.compute.v2 import server as _server
from openstack import exceptions
from openstack import resource

from openstackclient_post_copy import microversion
from openstackclient_post_copy import migration


class Proxy(_proxy.Proxy):
    """Upstream's, and what the microversion of post-copy adds.

    Migrations, however they are asked for, are the resources of
    :mod:`openstackclient_post_copy.migration`. From our microversion on the
    live migrations of a server stay in view after the switch to post-copy.
    """

    @classmethod
    def extend(cls, compute: _proxy.Proxy) -> Self:
        """Return a copy of upstream's that has our methods.

        Session, token and what is known of the cloud are shared with it.
        """
        proxy = cls.__new__(cls)
        vars(proxy).update(vars(compute))
        return proxy

    def live_migrate_server(
        self,
        server: str | _server.Server,
        host: str | None = None,
        force: bool = False,
        block_migration: bool | str | None = None,
        disk_over_commit: bool | None = None,
        *,
        post_copy: bool | None = None,
    ) -> None:
        """Live migrate a server from one host to another.

        Without ``post_copy`` this is upstream's, whatever the microversion.

        :param server: the ID of a server or a
            :class:`~openstack.compute.v2.server.Server`
        :param host: name of the destination, None: the scheduler chooses
        :param block_migration: True, False or 'auto', which is the default
        :param post_copy: True: the migration may finish by post-copy; False:
            it must not, even where the source host permits it for all; None:
            not said. True and False are sent with our microversion, which
            knows neither ``force`` nor ``disk_over_commit``.
        :raises ValueError: when one of these is given with ``post_copy``
        :raises openstack.exceptions.NotSupported: when the cloud does not
            know ``post_copy``; nothing has been requested then
        :raises openstack.exceptions.HttpException: when it refuses
        """
        if post_copy is None:
            super().live_migrate_server(server, host, force, block_migration,
                                        disk_over_commit)
            return
        if force or disk_over_commit is not None:
            raise ValueError('live_migrate_server() takes no force and no '
                             'disk_over_commit together with post_copy')
        microversion.require(self)
        server = self._get_resource(_server.Server, server)
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

    # What upstream's methods about migrations read them with.

    def _list(self, resource_type, *args, **kwargs):
        return super()._list(_ours(resource_type), *args, **kwargs)

    def _get(self, resource_type, *args, **kwargs):
        return super()._get(_ours(resource_type), *args, **kwargs)


def _ours(resource_type: type[resource.Resource]) -> type[resource.Resource]:
    return migration.EXTENDED.get(resource_type, resource_type)
