# SPDX-License-Identifier: Apache-2.0

"""The one place that joins nova-post-copy to upstream Nova.

Nova reads its configuration first of all, in every process::

    [DEFAULT]
    config_source = nova_post_copy

    [nova_post_copy]
    driver = nova_post_copy

makes oslo.config open our source inside ``nova.config.parse_args()``. The
source has no options; opening it is the hook by which we activate. Without
these lines nothing of ours is active.

The table of seams (:mod:`nova_post_copy.seams`) has each private name of
upstream's that we use, and whatever we assign, wrap or override. It is checked
before anything is joined; what upstream imports later, as it is imported.

Each process imports only the parts that it needs, so the imports are inside
of the functions.
"""

from collections.abc import Callable
import sys
import typing

from oslo_config import cfg
from oslo_config import sources

from nova_post_copy.seams import check
from nova_post_copy.seams.seam import Part

# The Nova releases whose internals we know: the major version of each.
KNOWN_RELEASES = (34,)

# Services that run threads of ours, which are made for native threads and
# tested with these only: under eventlet, libvirt's own thread could not wake
# the greenlet that watches a migration. nova-api runs none, it asks by RPC and
# reads the database as upstream does, so it may have either.
_THREADED = {'nova.cmd.compute': 'nova-compute',
             'nova.cmd.conductor': 'nova-conductor'}

_joined = False


class ConfigurationSourceDriver(sources.ConfigurationSourceDriver):
    """Entry point ``nova_post_copy`` in ``oslo.config.driver``."""

    def list_options_for_discovery(self) -> list[typing.Any]:
        return []

    def open_source_from_opt_group(
            self, conf: cfg.ConfigOpts,
            group_name: str) -> sources.ConfigurationSource:
        # Nova parses a throw-away ConfigOpts before it parses its own.
        nova_conf = sys.modules.get('nova.conf')
        if nova_conf is not None and conf is nova_conf.CONF:
            join()
        return EmptySource()


class EmptySource(sources.ConfigurationSource):
    """A source that has no option."""

    def get(self, group_name: str | None, option_name: str,
            opt: cfg.Opt) -> tuple[typing.Any, None]:
        return (sources._NoValue, None)


def join() -> None:
    """Join the parts that this process needs; once.

    :raises SystemExit: where we cannot. oslo.config logs and swallows any
        other exception of a source, and the service would start half
        extended: that is how a migration gets stuck.
    """
    global _joined
    if _joined:
        return
    try:
        _check_release()
        _check_concurrency()
        parts = _parts_of_this_process()
        check.check(*parts)
        for part in parts:
            for join_part in _JOIN[part]:
                join_part()
    except Exception as exc:
        check.refuse_to_start(exc)
    _joined = True


def join_everything() -> None:
    """Join all parts: for a test process that holds all of Nova's services.

    Unlike :func:`join` it lets an error through.
    """
    global _joined
    if _joined:
        return
    _check_release()
    from nova import objects
    objects.register_all()
    check.check(*_JOIN)
    for part in (_join_conf, _join_objects, _join_db, _join_policies,
                 _join_guard, _join_api, _join_conductor, _join_compute):
        part()
    _joined = True


def _check_release() -> None:
    import nova.version

    release = nova.version.version_string()
    if int(release.split('.')[0]) not in KNOWN_RELEASES:
        raise RuntimeError(
            'Nova %s is not supported (supported: %s); install the '
            'nova-post-copy release for this Nova'
            % (release, ', '.join(map(str, KNOWN_RELEASES))))


def _check_concurrency() -> None:
    from nova import utils

    if utils.concurrency_mode_threading():
        return
    for entry, service in _THREADED.items():
        if entry in sys.modules:
            raise RuntimeError(
                '%s runs with eventlet, which nova-post-copy does not '
                'support. Set "concurrency_backend = threading" in nova.conf '
                'and leave OS_NOVA_DISABLE_EVENTLET_PATCHING unset'
                % service)


def _parts_of_this_process() -> list[Part]:
    """Choose the parts by the upstream entry module that is running."""
    parts = [Part.EVERY]
    if 'nova.cmd.compute' in sys.modules:
        parts += [Part.COMPUTE]
    else:
        parts += [Part.DATABASE]
    if 'nova.cmd.conductor' in sys.modules:
        parts += [Part.CONDUCTOR]
    if 'nova.api.openstack.wsgi_app' in sys.modules:
        parts += [Part.API]
    return parts


def _join_conf() -> None:
    import nova.conf

    from nova_post_copy import conf

    conf.register_opts(nova.conf.CONF)


def _join_compute() -> None:
    """Answer the conductor's questions; load our libvirt driver.

    Nova forces ``compute_driver`` under ``nova.virt``, so our folder joins
    its path: ``compute_driver = post_copy.LibvirtDriver``. Upstream's modules
    come first on that path.
    """
    import os

    from nova import service
    import nova.virt

    from nova_post_copy import virt

    service.SERVICE_MANAGERS['nova-compute'] = (
        'nova_post_copy.compute.manager.ComputeManager')
    nova.virt.__path__.append(os.path.dirname(virt.__file__))


def _join_indirection() -> None:
    """Get along with a conductor that does not know our Migration."""
    from nova.conductor import rpcapi

    from nova_post_copy.objects import indirection

    rpcapi.ConductorAPI.object_class_action_versions = indirection.ask_again(
        rpcapi.ConductorAPI.object_class_action_versions)


def _join_objects() -> None:
    """Register our Migration: ``nova.objects.Migration`` is the newest."""
    from nova.objects import base

    from nova_post_copy.objects import migration

    base.NovaObjectRegistry.register(migration.Migration)


def _join_db() -> None:
    """Give the model its column; the shadow table has no model."""
    from nova.db.main import models as upstream

    from nova_post_copy.db import models

    upstream.Migration.post_copy = models.post_copy()


def _join_conductor() -> None:
    """Serve our own RPC topic beside upstream's."""
    from nova import service

    service.SERVICE_MANAGERS['nova-conductor'] = (
        'nova_post_copy.conductor.manager.ConductorManager')


def _join_policies() -> None:
    """Enforce our rule, and show it in ``nova-policy``."""
    from nova.policies import migrate_server

    from nova_post_copy import policies

    migrate_server.list_rules = policies.list_migrate_server_rules


def _join_guard() -> None:
    """Let a migration forbid requests, whatever controller they reach."""
    from nova.compute import api

    from nova_post_copy.api import between_hosts

    for name in between_hosts.RULES:
        setattr(api.API, name, between_hosts.guard(getattr(api.API, name)))


def _join_api() -> None:
    """Serve our microversion. The router is built later in every process."""
    import functools

    from nova.api.openstack import api_version_request
    from nova.api.openstack import compute
    from nova.api.openstack.compute import migrate_server as upstream
    from nova.api.openstack.compute import routes
    from nova.api.openstack.compute import versions

    from nova_post_copy.api import microversion
    from nova_post_copy.api import migrate_server
    from nova_post_copy.api import migrations
    from nova_post_copy.api import router
    from nova_post_copy.api import server_migrations

    api_version_request._MAX_API_VERSION = microversion.VERSION
    versions.VERSIONS['v2.1']['version'] = microversion.VERSION

    compute.APIRouterV21 = router.APIRouterV21

    # The controllers of /servers/{server_id}/action
    controllers = routes.server_controller.args[1]
    controllers[controllers.index(upstream.MigrateServerController)] = (
        migrate_server.MigrateServerController)

    methods = dict(routes.ROUTE_LIST)
    for path, controller in (
        ('/os-migrations', migrations.MigrationsController),
        ('/servers/{server_id}/migrations',
         server_migrations.ServerMigrationsController),
        ('/servers/{server_id}/migrations/{id}',
         server_migrations.ServerMigrationsController),
        ('/servers/{server_id}/migrations/{id}/action',
         server_migrations.ServerMigrationsController),
    ):
        for controller_and_action in methods[path].values():
            controller_and_action[0] = functools.partial(
                routes._create_controller, controller, [])


_JOIN: dict[Part, tuple[Callable[[], None], ...]] = {
    Part.EVERY: (_join_conf, _join_objects),
    Part.DATABASE: (_join_db,),
    Part.CONDUCTOR: (_join_conductor,),
    Part.COMPUTE: (_join_compute, _join_indirection),
    Part.API: (_join_policies, _join_guard, _join_api),
}
