# SPDX-License-Identifier: Apache-2.0

"""nova-post-copy active in the process of upstream's tests.

What an operator does to a cloud is done to the process: the services join, the
database gets its column, the compute driver is chosen. The clients find us by
our entry points, which they have when the package is installed.
"""

import faulthandler
import functools
from importlib import metadata
import os

# What the environment variable says to run the tests without the package.
WITHOUT = {'UPSTREAM_TESTS': 'without'}


# Seconds for one worker process, several times what it needs.
LIMIT = 1200


def wanted() -> bool:
    return not WITHOUT.items() <= os.environ.items()


def require_entry_points(group: str) -> None:
    """:raises RuntimeError: when a client would not find us there"""
    if not any('_post_copy.' in entry_point.value for entry_point in
               metadata.entry_points(group=group)):
        raise RuntimeError('nova-post-copy is not installed, only importable: '
                           'run `tox -e upstream`')


def hook_unnamed_commands() -> None:
    """Load our hooks of ``openstack`` where tests make a command.

    They give it no name, and hooks are found by the name.
    """
    from openstackclient.compute.v2 import server
    from openstackclient.compute.v2 import server_migration
    import stevedore

    def load_hooks(command, name):
        command._hooks = stevedore.ExtensionManager(
            'openstack.cli.' + name, invoke_on_load=True,
            invoke_kwds={'command': command})

    for command, name in (
        (server.MigrateServer, 'server_migrate'),
        (server_migration.ListMigration, 'server_migration_list'),
        (server_migration.ShowMigration, 'server_migration_show'),
    ):
        command._load_hooks = functools.partialmethod(load_hooks, name)


def extend_every_connection() -> None:
    """Put our proxy and resources of the SDK in the place of upstream's."""
    from openstack.compute import compute_service
    from openstack.compute.v2 import _proxy
    from openstack.compute.v2 import migration as upstream
    from openstack.compute.v2 import server_migration

    from openstackclient_post_copy import migration
    from openstackclient_post_copy import proxy
    from openstackclient_post_copy import sdk

    _proxy.Proxy = proxy.Proxy
    upstream.Migration = migration.Migration
    server_migration.ServerMigration = migration.ServerMigration
    compute_service.ComputeService.supported_versions = (
        sdk.ComputeService.supported_versions)


def prepare() -> None:
    """Prepare the process for tests of Nova that are imported after this."""
    # A worker that hangs says where and ends; its tests then have not run.
    faulthandler.dump_traceback_later(LIMIT, exit=True)
    _provide_api_paste()
    if wanted():
        from lab.simulation import joining

        joining.join()
        _choose_the_driver()
        _know_no_migrations_without_a_database()


def _provide_api_paste() -> None:
    """Let upstream's fixture find ``api-paste.ini`` of an installed Nova.

    It looks into the source tree. Needed with and without the package.
    """
    from nova.tests.fixtures import conf

    paste = next(path for path in metadata.files('nova')
                 if path.match('etc/nova/api-paste.ini')).locate().resolve()
    upstream = conf.ConfFixture.setUp

    @functools.wraps(upstream)
    def set_up(self):
        upstream(self)
        self.conf.set_default('api_paste_config', str(paste), group='wsgi')

    conf.ConfFixture.setUp = set_up


def _choose_the_driver() -> None:
    """Load our driver where ``compute_driver = libvirt.LibvirtDriver``.

    The functional tests set that by themselves. The unit tests of the driver
    import the class from its module; they see upstream's.
    """
    from nova.virt import libvirt

    from nova_post_copy.virt.libvirt import driver

    libvirt.LibvirtDriver = driver.LibvirtDriver


def _know_no_migrations_without_a_database() -> None:
    """Spare the tests that must not touch a database our question to it.

    The API asks before each request whether the server is between two hosts.
    """
    import fixtures
    from nova.tests import fixtures as nova_fixtures

    upstream = nova_fixtures.DatabasePoisonFixture.setUp

    @functools.wraps(upstream)
    def set_up(self):
        upstream(self)
        for name in ('between_hosts', 'unfinished'):
            self.useFixture(fixtures.MonkeyPatch(
                'nova_post_copy.objects.migration.' + name,
                lambda *args, **kwargs: None))

    nova_fixtures.DatabasePoisonFixture.setUp = set_up
