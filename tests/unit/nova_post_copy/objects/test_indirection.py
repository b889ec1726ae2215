# SPDX-License-Identifier: Apache-2.0

from unittest import mock

from nova.conductor import manager as conductor_manager
from nova.conductor import rpcapi
from nova import context as nova_context
from nova import exception
from nova import objects
from nova.objects import base
from nova.objects import migration as upstream
from nova import test
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_versionedobjects import exception as ovo_exception

from nova_post_copy import activate
from nova_post_copy.objects import migration


class TestIndirection(test.TestCase):
    """A nova-compute that has nova-post-copy."""

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        objects.Migration(
            self.context, instance_uuid=uuids.instance, status='running',
            migration_type='live-migration', post_copy=True).create()
        self.asked = []

    def _conductor(self, classes):
        """A conductor that has these classes of the Migration object."""

        def object_class_action_versions(api, context, *args):
            self.asked.append(args)
            with mock.patch.dict(base.NovaObjectRegistry.obj_classes(),
                                 {'Migration': classes}):
                # What is an ExpectedException to the RPC server.
                try:
                    return (conductor_manager.ConductorManager.
                            object_class_action_versions(
                                mock.Mock(
                                    _object_dispatch=self._object_dispatch),
                                context, *args))
                except ovo_exception.IncompatibleObjectVersion as exc:
                    raise messaging.RemoteError(
                        type(exc).__name__, str(exc))

        self.stub_out('nova.conductor.rpcapi.ConductorAPI.'
                      'object_class_action_versions',
                      object_class_action_versions)
        activate._join_indirection()

    def _object_dispatch(self, target, method, args, kwargs):
        return getattr(target, method).__func__.original_fn(
            target, *args, **kwargs)

    def _lookup(self):
        with mock.patch.object(base.NovaObject, 'indirection_api',
                               rpcapi.ConductorAPI()):
            return objects.Migration.get_by_instance_and_status(
                self.context, uuids.instance, 'running')

    def test_extended_conductor(self):
        self._conductor([migration.Migration, upstream.Migration])
        self.assertIs(True, migration.requested(self._lookup()))
        self.assertEqual(1, len(self.asked))

    def test_unextended_conductor(self):
        self._conductor([upstream.Migration])
        found = self._lookup()
        self.assertIs(upstream.Migration, type(found))
        self.assertIsNone(migration.requested(found))
        self.assertEqual(
            [migration.Migration.VERSION, upstream.Migration.VERSION],
            [versions['Migration'] for _, _, versions, _, _ in self.asked])

    def test_other_errors_are_let_through(self):
        self._conductor([upstream.Migration])
        with mock.patch.object(base.NovaObject, 'indirection_api',
                               rpcapi.ConductorAPI()):
            self.assertRaises(
                exception.MigrationNotFoundByStatus,
                objects.Migration.get_by_instance_and_status,
                self.context, uuids.instance, 'no such status')
