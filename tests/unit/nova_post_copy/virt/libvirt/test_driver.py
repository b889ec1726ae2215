# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

import collections
from unittest import mock

import fixtures
import futurist
from nova.compute import provider_tree
from nova.compute import vm_states
from nova import context as nova_context
from nova import objects
from nova import test
from nova.tests import fixtures as nova_fixtures
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.unit import fake_instance
from nova.virt import fake
from nova.virt.libvirt import driver as upstream

from nova_post_copy import traits
from nova_post_copy.virt.libvirt import driver
from nova_post_copy.virt.libvirt import monitor

LIVE = fakelibvirt.VIR_MIGRATE_LIVE
POSTCOPY = fakelibvirt.VIR_MIGRATE_POSTCOPY
AUTO_CONVERGE = fakelibvirt.VIR_MIGRATE_AUTO_CONVERGE


class DriverTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(nova_fixtures.LibvirtFixture())
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.flags.libvirt', fakelibvirt))
        self.refusals = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.capability.destination_refusals',
            lambda host: self.refusals))
        self.flags(compute_driver='post_copy.LibvirtDriver')
        self.context = nova_context.RequestContext('user', 'project')
        self.driver = driver.LibvirtDriver(fake.FakeVirtAPI())
        self.driver._live_migration_flags = LIVE | AUTO_CONVERGE
        self.driver._block_migration_flags = LIVE | AUTO_CONVERGE
        self.instance = fake_instance.fake_instance_obj(
            self.context, vm_state=vm_states.ACTIVE)
        self.migrate_data = objects.LibvirtLiveMigrateData(
            block_migration=True)

    def _request(self, post_copy):
        self.migrate_data.migration = objects.Migration(status='running')
        if post_copy is not None:
            self.migrate_data.migration.post_copy = post_copy


class TestFlagsOfOneMigration(DriverTestCase):

    def _flags(self, post_copy):
        self._request(post_copy)
        view = self.driver._for_migration(self.instance, self.migrate_data)
        self.assertIs(self.driver.active_migrations, view.active_migrations)
        self.assertEqual(view._live_migration_flags,
                         view._block_migration_flags)
        # The other migrations of this host keep theirs.
        self.assertEqual(LIVE | AUTO_CONVERGE,
                         self.driver._live_migration_flags)
        return view._live_migration_flags

    def test_absent(self):
        self.assertEqual(LIVE | AUTO_CONVERGE, self._flags(None))

    def test_true(self):
        self.assertEqual(LIVE | POSTCOPY, self._flags(True))

    def test_false(self):
        self.assertEqual(LIVE, self._flags(False) & ~AUTO_CONVERGE)

    def test_paused(self):
        self.instance.vm_state = vm_states.PAUSED
        self.assertEqual(0, self._flags(True) & POSTCOPY)


class TestHostWideFlag(DriverTestCase):

    def setUp(self):
        super().setUp()
        self.driver._live_migration_flags = LIVE | POSTCOPY
        self.driver._block_migration_flags = LIVE | POSTCOPY

    def _flags(self, post_copy):
        self._request(post_copy)
        return self.driver._for_migration(
            self.instance, self.migrate_data)._live_migration_flags

    def test_false_takes_it_away(self):
        self.assertEqual(LIVE, self._flags(False))
        self.flags(live_migration_permit_auto_converge=True, group='libvirt')
        self.assertEqual(LIVE | AUTO_CONVERGE, self._flags(False))

    def test_absent_leaves_it(self):
        self.assertEqual(LIVE | POSTCOPY, self._flags(None))

    def test_upstreams_monitor_sees_the_flags_of_this_migration(self):
        self._request(False)
        seen = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.driver.LibvirtDriver._live_migration_monitor',
            lambda self, *args: seen.append(
                self._get_migration_flags(True))))
        self.driver._live_migration_monitor(
            self.context, self.instance, None, 'dest', None, None, True,
            self.migrate_data, None, [])
        self.assertEqual([LIVE], seen)


class TestOperation(DriverTestCase):

    def _operation(self, error=None):
        def upstreams(*args):
            if error:
                raise error

        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.driver.LibvirtDriver.'
            '_live_migration_operation', upstreams))
        return self.driver._live_migration_operation(
            self.context, self.instance, 'dest', True, self.migrate_data,
            None, [])

    def test_error_is_the_result(self):
        self._request(True)
        error = ValueError()
        self.assertIs(error, self._operation(error))

    def test_success(self):
        self._request(True)
        self.assertIsNone(self._operation())

    def test_error_of_other_migrations_is_raised(self):
        for post_copy in (None, False):
            self._request(post_copy)
            self.assertRaises(ValueError, self._operation, ValueError())


class TestMonitor(DriverTestCase):

    def _monitor(self, result):
        self._request(True)
        self.driver.active_migrations[self.instance.uuid] = (
            collections.deque())
        self.useFixture(fixtures.MockPatchObject(
            monitor.Monitor, 'watch', return_value=result))
        self.faults = self.useFixture(fixtures.MockPatch(
            'nova.compute.utils.add_instance_fault_from_exc')).mock
        self.events = self.useFixture(fixtures.MockPatch(
            'nova.objects.InstanceActionEvent.event_finish_with_failure')).mock
        self.useFixture(fixtures.MockPatch(
            'nova.objects.InstanceActionEvent.event_start'))
        ends = []
        self.driver._live_migration_monitor(
            self.context, self.instance, None, 'dest',
            lambda *args: ends.append('completed'),
            lambda *args, migration_status: ends.append(migration_status),
            True, self.migrate_data, futurist.Future(), [])
        self.assertEqual({}, self.driver.active_migrations)
        return ends

    def test_completed(self):
        self.assertEqual(['completed'], self._monitor(
            monitor.Result(monitor.End.COMPLETED, None)))

    def test_cancelled(self):
        self.assertEqual(['cancelled'], self._monitor(
            monitor.Result(monitor.End.CANCELLED, ValueError())))
        self.faults.assert_not_called()

    def test_failed_says_why(self):
        self.assertEqual(['error'], self._monitor(
            monitor.Result(monitor.End.FAILED, ValueError('disk full'))))
        fault = self.faults.call_args.args[2]
        self.assertIn('disk full', fault.format_message())
        self.assertEqual(fault.format_message(),
                         self.events.call_args.kwargs['exc_val'])


class TestAbort(DriverTestCase):

    def _abort(self, error=None):
        self.watching = mock.Mock(abort_requested=False)
        self.driver._monitors[self.instance.uuid] = self.watching
        seen = []

        def upstreams(driver, instance):
            seen.append(self.watching.abort_requested)
            if error:
                raise error

        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.driver.LibvirtDriver.live_migration_abort',
            upstreams))
        try:
            self.driver.live_migration_abort(self.instance)
        finally:
            self.assertEqual([True], seen)

    def test_monitor_knows_before_libvirt(self):
        self._abort()
        self.assertTrue(self.watching.abort_requested)

    def test_refused_by_libvirt(self):
        self.assertRaises(ValueError, self._abort, ValueError())
        self.assertFalse(self.watching.abort_requested)


class TestTrait(DriverTestCase):

    def _traits(self):
        self.useFixture(fixtures.MockPatchObject(
            upstream.LibvirtDriver, 'update_provider_tree'))
        tree = provider_tree.ProviderTree()
        tree.new_root('host', self.instance.uuid, generation=0)
        tree.add_traits('host', traits.POST_COPY, 'CUSTOM_OTHER')
        self.driver.update_provider_tree(tree, 'host')
        return tree.data('host').traits

    def test_capable(self):
        self.assertEqual({traits.POST_COPY, 'CUSTOM_OTHER'}, self._traits())

    def test_not_capable_any_more(self):
        self.refusals.append('not permitted')
        self.assertEqual({'CUSTOM_OTHER'}, self._traits())


class TestSourceRefusals(DriverTestCase):

    def setUp(self):
        super().setUp()
        guest = mock.Mock()
        guest.get_xml_desc.return_value = (
            '<domain><devices><hostdev/></devices></domain>')
        self.driver._host = mock.Mock()
        self.driver._host.get_guest.return_value = guest
        self.driver._host.has_min_version.return_value = True

    def test_guest(self):
        self.assertEqual(
            1, len(self.driver.post_copy_source_refusals(self.instance)))
