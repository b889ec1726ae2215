# SPDX-License-Identifier: Apache-2.0

import collections
import threading
import time

import fixtures
from nova.compute import provider_tree
from nova.compute import vm_states
from nova import context as nova_context
from nova import objects
from nova import test
from nova.tests import fixtures as nova_fixtures
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.unit import fake_instance
from nova.virt import event
from nova.virt import fake
from nova.virt.libvirt import driver as upstream
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import names
from nova_post_copy.compute import record
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.migration.result import End
from nova_post_copy.migration.result import Result
from nova_post_copy import traits
from nova_post_copy.virt.libvirt import driver
from tests.unit.nova_post_copy.compute import records
from tests.unit.nova_post_copy.migration import scripted

LIVE = fakelibvirt.VIR_MIGRATE_LIVE
POSTCOPY = fakelibvirt.VIR_MIGRATE_POSTCOPY
AUTO_CONVERGE = fakelibvirt.VIR_MIGRATE_AUTO_CONVERGE


class DriverTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(nova_fixtures.LibvirtFixture())
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.flags.libvirt', fakelibvirt))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.signals.libvirt', names))
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
        self.migrate_data.migration = objects.Migration(
            id=1, status='running')
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


class TestLibvirtIsRestarted(DriverTestCase):

    def test_told_by_the_thread_that_finds_it_out(self):
        host = self.driver._host
        closed = []

        def find_out(connection):
            host._connection_closed(connection)
            closed.append(connection)
            return False

        host.get_connection()
        before = host._wrapped_conn
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.host.Host._test_connection',
            staticmethod(find_out)))
        finding_out = threading.Thread(target=host.get_connection,
                                       daemon=True)
        finding_out.start()
        finding_out.join(10)
        self.assertFalse(finding_out.is_alive())
        self.assertEqual([before], closed)


class TestEvents(DriverTestCase):

    def test_of_a_guest_wake_who_waits_for_it(self):
        handled = []
        self.driver.register_event_listener(handled.append)
        heard = self.driver._watches.signals.subscribe(self.instance.uuid)
        moved = event.LifecycleEvent(
            self.instance.uuid, event.EVENT_LIFECYCLE_PAUSED)
        self.driver.emit_event(moved)
        began = time.monotonic()
        heard.wait(60)
        self.assertLess(time.monotonic() - began, 30)
        self.assertEqual([moved], handled)


class TestOperation(DriverTestCase):

    def setUp(self):
        super().setUp()
        self.driver._host = scripted.Source(None)

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


class TestLiveMigration(DriverTestCase):
    """What nova-compute hears of upstream's live_migration."""

    def setUp(self):
        super().setUp()
        self.updated = {}
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.record.update', self._update))
        self.error = None
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.driver.LibvirtDriver.live_migration',
            self._upstream))

    def _update(self, uuid, **changes):
        self.updated[uuid] = changes

    def _upstream(self, driver, *args):
        # The record says so before libvirt hears of it.
        self.recorded = dict(self.updated)
        if self.error:
            raise self.error

    def _live_migration(self, post_copy):
        self._request(post_copy)
        self.driver.live_migration(
            self.context, self.instance, 'dest', None, None, True,
            self.migrate_data)

    def test_recorded_before_it_starts(self):
        self._live_migration(True)
        self.assertEqual(
            {self.instance.uuid: {
                'started': True, 'migrate_data': self.migrate_data,
                'flags': LIVE | POSTCOPY}}, self.recorded)

    def test_no_error_comes_out(self):
        self.error = test.TestingException()
        self._live_migration(True)

    def test_not_started_without_its_record(self):
        self.useFixture(fixtures.MockPatch(
            'nova_post_copy.compute.record.update', side_effect=OSError))
        self._live_migration(True)
        self.assertFalse(hasattr(self, 'recorded'))

    def test_others_are_upstreams(self):
        self.error = test.TestingException()
        for post_copy in (None, False):
            self.assertRaises(test.TestingException, self._live_migration,
                              post_copy)
        self.assertEqual({}, self.recorded)


class WatchTestCase(DriverTestCase):
    """A migration that the monitor has watched to its end."""

    def setUp(self):
        super().setUp()
        self.clock = self.useFixture(scripted.Clock())
        self.flags(host='src')
        self.ends = []
        self.faults = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.instance_fault.add',
            lambda context, instance, fault: self.faults.append(
                fault.format_message())))
        self.told = []
        for name in ('arrived', 'lost'):
            self.useFixture(fixtures.MonkeyPatch(
                'nova_post_copy.migration.reporter.Reporter.' + name,
                lambda reporter, *args, name=name: self.told.append(name)))
        # What the destination says of the guest, one after the other.
        self.there = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.migration.link.Link.destination',
            lambda link: self.there.pop(0)))

    def _post(self, context, instance, dest, block_migration, migrate_data,
              lost=None):
        self.ends.append('lost' if lost else 'completed')
        if lost:
            self.faults.append(lost.format_message())

    def _recover(self, context, instance, dest, migrate_data,
                 migration_status):
        self.ends.append(migration_status)

    def watch(self, result):
        """Return how nova-compute is told that it ended."""
        self._request(True)
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.migration.monitor.watch',
            lambda migration, operation: result))
        self.driver.watch_live_migration(
            self.context, self.instance, 'dest', self._post, self._recover,
            True, self.migrate_data)
        self.assertEqual({}, self.driver.active_migrations)
        self.assertEqual({}, self.driver._watches.requests)
        self.assertEqual({}, self.driver._watches.signals._waiting)
        return self.ends


class TestEnd(WatchTestCase):

    def test_completed(self):
        self.assertEqual(['completed'], self.watch(
            Result(End.COMPLETED, arrived=True)))
        self.assertEqual(['arrived'], self.told)
        self.assertEqual([], self.faults)

    def test_cancelled(self):
        self.assertEqual(['cancelled'], self.watch(
            Result(End.CANCELLED, ValueError())))
        self.assertEqual([], self.faults)

    def test_stopped_says_why_and_where_the_server_is(self):
        self.assertEqual(['cancelled'], self.watch(
            Result(End.STOPPED, 'it took too long')))
        (fault,) = self.faults
        self.assertIn('runs on src', fault)
        self.assertIn('it took too long', fault)

    def test_failed_says_why_and_where_the_server_is(self):
        self.assertEqual(['error'], self.watch(
            Result(End.FAILED, ValueError('disk full'))))
        (fault,) = self.faults
        self.assertIn('runs on src', fault)
        self.assertIn('disk full', fault)

    def test_lost_says_why_and_what_to_do(self):
        self.assertEqual(['lost'], self.watch(
            Result(End.LOST, 'QEMU has exited')))
        (fault,) = self.faults
        self.assertIn('on dest, but part of its memory is lost', fault)
        self.assertIn('QEMU has exited', fault)
        self.assertIn('reboot --hard', fault)
        self.assertEqual(['lost'], self.told)

    def test_nova_compute_stops(self):
        self.assertEqual(
            [], self.watch(Result(End.UNWATCHED)))
        self.assertEqual([], self.told)
        self.assertEqual([], self.faults)


class TestForget(WatchTestCase):
    """What has left stays defined where libvirt's own call was lost."""

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.driver._host = self.host = scripted.Source(self.clock)
        self.undefined = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.driver.LibvirtDriver._undefine_domain',
            lambda driver, instance: self.undefined.append(instance.uuid)))

    def test_undefined_when_it_has_arrived(self):
        self.host.domain_state = scripted.MIGRATED
        self.there = [Condition.RUNNING]
        self.watch(Result(End.COMPLETED))
        self.assertEqual([self.instance.uuid], self.undefined)

    def test_copy_that_we_have_stopped_is_undefined(self):
        self.host.domain_state = scripted.DESTROYED
        self.watch(Result(End.COMPLETED, arrived=True))
        self.assertEqual([self.instance.uuid], self.undefined)

    def test_kept_unless_it_has_arrived(self):
        self.host.domain_state = scripted.MIGRATED
        self.there = [Condition.ABSENT] * 3
        self.watch(Result(End.COMPLETED))
        for end in (End.LOST, End.FAILED,
                    End.UNWATCHED):
            self.watch(Result(end, 'why'))
        self.assertEqual([], self.undefined)

    def test_whatever_else_is_there_is_kept(self):
        for state in (scripted.RUNNING, scripted.BROKEN):
            self.host.domain_state = state
            self.watch(Result(End.COMPLETED, arrived=True))
        self.assertEqual([], self.undefined)


class TestArrival(WatchTestCase):
    """It has left; whether it has arrived is for the destination to say."""

    def arrival(self, *there):
        self.there = list(there)
        return self.watch(Result(End.COMPLETED))

    def test_has_arrived(self):
        for there in (Condition.RUNNING, Condition.PAUSED,
                      # Its user has shut it down, or its QEMU has died.
                      Condition.SHUTOFF,
                      # A nova-compute that cannot say: without our package.
                      Condition.UNKNOWN):
            self.ends.clear()
            self.assertEqual(['completed'], self.arrival(there))

    def test_on_its_way(self):
        self.assertEqual(['completed'], self.arrival(
            Condition.MIGRATING, Condition.POST_COPY, Condition.RUNNING))
        self.assertEqual(['arrived'], self.told)

    def test_nothing_ends_without_an_answer(self):
        self.assertEqual(['completed'], self.arrival(
            *[None] * 100, Condition.RUNNING))
        self.assertGreater(self.clock.now, 100)

    def test_absent_three_times(self):
        self.assertEqual(['lost'], self.arrival(*[Condition.ABSENT] * 3))
        self.assertIn('on neither host', self.faults[0])

    def test_absent_for_a_moment(self):
        self.assertEqual(['completed'], self.arrival(
            Condition.ABSENT, Condition.ABSENT, None, Condition.ABSENT,
            Condition.ABSENT, Condition.RUNNING))

    def test_broken_for_ever(self):
        self.assertEqual(['lost'], self.arrival(Condition.BROKEN))
        self.assertIn('on the source has exited', self.faults[0])

    def test_nova_compute_stops(self):
        self.clock.at(10, self.driver._watches._stopping.set)
        self.assertEqual([], self.arrival(*[None] * 100))
        self.assertEqual([], self.told)

    def test_is_not_asked_where_libvirt_has_seen_it(self):
        self.assertEqual(['completed'], self.watch(
            Result(End.COMPLETED, arrived=True)))


class TestLink(DriverTestCase):
    """Where and how a broken migration is resumed."""

    def setUp(self):
        super().setUp()
        self.flags(state_path=self.useFixture(fixtures.TempDir()).path)
        self.flags(live_migration_scheme='tcp', group='libvirt')
        self._request(True)

    def _link(self, kept=None):
        if kept is not None:
            record.write(records.make(self.instance.uuid, **kept))
        return self.driver._watches._link(
            self.context, self.instance, 'dest', self.migrate_data)

    def test_migration_address(self):
        self.migrate_data.target_connect_addr = '192.0.2.2'
        way = self._link()
        self.assertEqual(['192.0.2.2'], way._addresses)
        self.assertEqual(
            ('qemu+tcp://192.0.2.2/system', 'tcp://192.0.2.2'),
            way._target('192.0.2.2'))

    def test_without_one_libvirt_chooses(self):
        self.migrate_data.target_connect_addr = None
        way = self._link()
        self.assertEqual(['dest'], way._addresses)
        self.assertEqual(('qemu+tcp://dest/system', None),
                         way._target('dest'))

    def test_after_a_restart_without_a_readable_record(self):
        self.assertNotIn('target_connect_addr', self.migrate_data)
        self.assertEqual(['dest'], self._link()._addresses)

    def test_second_address(self):
        way = self._link({'recovery_addr': '198.51.100.2'})
        self.assertEqual(['dest', '198.51.100.2'], way._addresses)
        # The stream has to take that way, too.
        self.assertEqual(
            ('qemu+tcp://198.51.100.2/system', 'tcp://198.51.100.2'),
            way._target('198.51.100.2'))

    def test_flags_are_those_of_the_first_attempt(self):
        self.assertEqual(LIVE | POSTCOPY, self._link()._flags)
        # Whatever nova.conf has said since.
        self.assertEqual(LIVE, self._link({'flags': LIVE})._flags)


class TestStop(DriverTestCase):

    def test_host_is_left_to_the_next_start(self):
        self.useFixture(fixtures.MockPatchObject(
            upstream.LibvirtDriver, 'cleanup_host'))
        heard = self.driver._watches.signals.subscribe(self.instance.uuid)
        self.driver.cleanup_host('src')
        self.assertTrue(self.driver._watches._stopping.is_set())
        # At once, not at the next beat.
        self.assertTrue(heard._happened.is_set())


class TestAbort(DriverTestCase):

    def setUp(self):
        super().setUp()
        # As Nova does for each live migration.
        self.requests = collections.deque()
        self.driver.active_migrations[self.instance.uuid] = self.requests
        self.seen = []

    def _abort(self, error=None):
        def upstreams(driver, instance):
            self.seen.extend(self.requests)
            if error:
                raise error

        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.driver.LibvirtDriver.live_migration_abort',
            upstreams))
        self.driver.live_migration_abort(self.instance)

    def _watch(self):
        self.driver._watches.requests[self.instance.uuid] = self.requests

    def test_monitor_knows_before_libvirt(self):
        self._watch()
        self._abort()
        self.assertEqual(['abort'], self.seen)
        self.assertEqual(['abort'], list(self.requests))

    def test_refused_by_libvirt(self):
        self._watch()
        self.requests.append('force-complete')
        self.assertRaises(ValueError, self._abort, ValueError())
        self.assertEqual(['force-complete', 'abort'], self.seen)
        self.assertEqual(['force-complete'], list(self.requests))

    def test_refused_the_second_time(self):
        self._watch()
        self._abort()
        self.assertRaises(ValueError, self._abort, ValueError())
        self.assertEqual(['abort'], list(self.requests))

    def test_upstreams_monitor_does_not_know_the_request(self):
        self._abort()
        self.assertRaises(ValueError, self._abort, ValueError())
        self.assertEqual([], self.seen)


class TestForceComplete(DriverTestCase):

    def test_monitor_acts_at_once(self):
        heard = self.driver._watches.signals.subscribe(self.instance.uuid)
        other = self.driver._watches.signals.subscribe(uuids.other)
        requests = collections.deque()
        self.driver.active_migrations[self.instance.uuid] = requests
        self.driver.live_migration_force_complete(self.instance)
        self.assertEqual(['force-complete'], list(requests))
        self.assertTrue(heard._happened.is_set())
        self.assertFalse(other._happened.is_set())


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
