# SPDX-License-Identifier: Apache-2.0

import contextlib
import inspect
import io
import textwrap

import openstack
from openstack.compute.v2 import _proxy
from openstack import exceptions

from openstackclient_post_copy import sdk
from tests.unit.openstackclient_post_copy import base

HOOK = 'openstackclient_post_copy.sdk:vendor_hook'
SERVER = base.SERVER['id']


class SDKTestCase(base.ClientTestCase):

    def connect(self, vendor_hook: str | None = HOOK):
        return openstack.connect(cloud='test', vendor_hook=vendor_hook)


class LiveMigrateServerTestCase(SDKTestCase):

    def test_example(self):
        """The example of the documentation runs."""
        lines = inspect.getdoc(sdk).split('::\n', 1)[1]
        example = lines[:lines.index('\nErrors are')]
        self.write_clouds({'clouds': {
            'lab': base.CLOUDS['clouds']['test']}})
        printed = io.StringIO()

        with contextlib.redirect_stdout(printed):
            exec(textwrap.dedent(example), {})

        request, = self.posted
        self.assert_posted(request, '2.105', host=None,
                           block_migration='auto', post_copy=True)
        self.assertEqual('7 running (post-copy) True\n', printed.getvalue())

    def test_hook_in_clouds_yaml(self):
        self.write_clouds({'clouds': {'test': dict(
            base.CLOUDS['clouds']['test'], vendor_hook=HOOK)}})

        self.connect(vendor_hook=None).compute.live_migrate_server(
            SERVER, post_copy=True)

        self.assertEqual(1, len(self.posted))

    def test_server_and_destination(self):
        compute = self.connect().compute
        compute.live_migrate_server(
            compute.get_server(SERVER), host='host-b', block_migration=True,
            post_copy=False)

        request, = self.posted
        self.assert_posted(request, '2.105', host='host-b',
                           block_migration=True, post_copy=False)

    def test_not_said_is_upstream(self):
        self.connect().compute.live_migrate_server(
            SERVER, 'host-b', True, 'auto')

        request, = self.posted
        self.assert_posted(request, '2.30', host='host-b',
                           block_migration='auto', force=True)

    def test_refused_arguments(self):
        compute = self.connect().compute
        for argument in ({'force': True}, {'disk_over_commit': False}):
            self.assertRaises(
                ValueError, compute.live_migrate_server, SERVER,
                post_copy=True, **argument)
        self.assertEqual([], self.sent)

    def test_refusal_of_the_cloud(self):
        self.answer('POST', base.ACTION, status=409, body={
            'conflictingRequest': {'code': 409, 'message': 'vGPU'}})

        error = self.assertRaises(
            exceptions.ConflictException,
            self.connect().compute.live_migrate_server, SERVER,
            post_copy=True)

        self.assertIn('vGPU', str(error))

    def test_version_too_low(self):
        self.write_clouds({'clouds': {'test': dict(
            base.CLOUDS['clouds']['test'],
            compute_default_microversion='2.90')}})

        error = self.assertRaises(
            exceptions.NotSupported,
            self.connect().compute.live_migrate_server, SERVER,
            post_copy=True)

        self.assertIn("version '2.90' is selected", str(error))
        self.assertEqual([], self.sent)

    def test_connections_to_other_clouds_stay(self):
        self.connect()
        other = self.connect(vendor_hook=None)

        self.assertIs(_proxy.Proxy, type(other.compute))
        self.assertIs(openstack.connection.Connection, type(other))

    def test_two_connections(self):
        for _number in range(2):
            self.connect().compute.live_migrate_server(SERVER, post_copy=True)

        self.assertEqual(2, len(self.posted))


class MigrationsTestCase(SDKTestCase):

    def test_post_copy(self):
        compute = self.connect().compute

        for migration in (*compute.migrations(),
                          *compute.server_migrations(SERVER),
                          compute.get_server_migration(7, SERVER)):
            self.assertIs(True, migration.post_copy)
            self.assertEqual('post-copy', migration.phase)
            self.assertEqual('host-b', migration.dest_compute)
        self.assertEqual(75, migration.progress)


class UnextendedCloudTestCase(SDKTestCase):
    cloud_version = '2.104'

    def test_refused_before_anything_is_posted(self):
        error = self.assertRaises(
            exceptions.NotSupported,
            self.connect().compute.live_migrate_server, SERVER,
            post_copy=True)

        self.assertIn("'2.1' to '2.104'", str(error))
        self.assertNotIn('\n', str(error))
        self.assertEqual([], self.sent)

    def test_migrations(self):
        migration, = self.connect().compute.migrations()

        self.assertIsNone(migration.post_copy)
        self.assertEqual('2.80', base.version_of(self.sent[0]))
