# SPDX-License-Identifier: Apache-2.0

import contextlib
import threading
import time

from nova.tests.fixtures import libvirt as fake
from oslo_utils.fixture import uuidsentinel as uuids
import testtools

from lab import layout
from lab.simulation import guest
from lab.simulation import hosts
from lab.simulation import libvirt
from lab.simulation import libvirtd
from lab.simulation import names

MIB = layout.MIB
FLAGS = (fake.VIR_MIGRATE_PEER2PEER | fake.VIR_MIGRATE_PERSIST_DEST
         | fake.VIR_MIGRATE_LIVE | fake.VIR_MIGRATE_UNDEFINE_SOURCE)
POST_COPY = FLAGS | fake.VIR_MIGRATE_POSTCOPY
XML = ("<domain type='kvm'><name>instance-1</name><uuid>%s</uuid>"
       "<memory>524288</memory><vcpu>1</vcpu>"
       "<os><type arch='x86_64'>hvm</type></os></domain>" % uuids.server)


class TestCase(testtools.TestCase):
    LINK: dict[str, float] = {}

    def setUp(self):
        super().setUp()
        # The first pass takes 0.1 s, and the guest writes twice as fast.
        self.cloud = hosts.Hosts(512 * MIB, speed=10, **self.LINK)
        self.addCleanup(self.cloud.close)
        self.source, self.target = (
            libvirt.Connection(libvirtd.Libvirtd(self.cloud, hostname=name))
            for name in ('src', 'dest'))
        self.events = []
        for connection in (self.source, self.target):
            connection.domainEventRegisterAny(
                None, fake.VIR_DOMAIN_EVENT_ID_LIFECYCLE,
                lambda conn, dom, event, detail, opaque: self.events.append(
                    (conn.hostname, event, detail)), None)
        self.iterations = []
        self.source.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
            lambda conn, dom, iteration, opaque: self.iterations.append(
                iteration), None)
        self.domain = self.source.defineXML(XML)
        self.domain.create()
        self.cloud.make_busy(uuids.server, 400 * MIB, 1024 * MIB)
        self.source.daemon.wait_for_delivery()
        self.events.clear()
        self.error = None

    def stop_at(self, happening):
        self.cloud.stop_at = {happening}

    def go_on(self):
        self.cloud.stop_at = set()
        self.cloud.clock.go_on()

    def begin(self, flags=POST_COPY):
        """Migrate in a thread of its own, as nova-compute does."""
        def migrate():
            with contextlib.suppress(names.Killed):
                try:
                    self.domain.migrateToURI3(
                        'qemu+tcp://dest/system', {'destination_xml': XML},
                        flags)
                except fake.libvirtError as exc:
                    self.error = exc

        self.thread = threading.Thread(target=migrate, daemon=True)
        self.thread.start()

    def wait_for(self, condition):
        deadline = time.monotonic() + 20
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.005)

    def wait_until_stopped(self):
        (happening,) = self.cloud.stop_at
        self.wait_for(lambda: self.cloud.moves
                      and self.cloud.moves[-1].at(happening) is not None)

    def end(self):
        self.thread.join(20)
        self.assertFalse(self.thread.is_alive())
        for connection in (self.source, self.target):
            connection.daemon.wait_for_delivery()

    def refuse(self, code, call, *args):
        """Check that libvirt refuses, and return what it says."""
        exc = self.assertRaises(fake.libvirtError, call, *args)
        self.assertEqual(code, exc.get_error_code())
        return exc.get_error_message()

    def heard_on(self, host):
        return [(event, detail) for where, event, detail in self.events
                if where == host]

    def on_target(self):
        return self.target.lookupByUUIDString(uuids.server)


class TestPostCopy(TestCase):
    def test_from_one_host_to_the_other(self):
        self.stop_at(guest.Happening.ITERATION)
        self.begin()
        self.wait_until_stopped()
        self.assertEqual(
            [fake.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED],
            self.domain.state())
        self.assertEqual(
            [fake.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_MIGRATION],
            self.on_target().state())

        self.domain.migrateStartPostCopy()
        self.assertEqual(
            [fake.VIR_DOMAIN_PAUSED, libvirt.VIR_DOMAIN_PAUSED_POSTCOPY],
            self.domain.state())

        self.stop_at(guest.Happening.RESUMED)
        self.cloud.clock.go_on()
        self.wait_until_stopped()
        self.assertEqual(
            [fake.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_POSTCOPY],
            self.on_target().state())
        self.assertEqual({'dest'}, self.cloud.running_on(uuids.server))

        self.go_on()
        self.end()
        self.assertIsNone(self.error)
        self.assertEqual(
            [fake.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_MIGRATED],
            self.on_target().state())
        self.assertTrue(self.on_target().isPersistent())
        self.refuse(fake.VIR_ERR_NO_DOMAIN, self.domain.jobStats)
        self.refuse(fake.VIR_ERR_NO_DOMAIN, self.source.lookupByUUIDString,
                    uuids.server)
        self.assertEqual([], self.cloud.ran_twice(uuids.server))

    def test_events(self):
        self.stop_at(guest.Happening.ITERATION)
        self.begin()
        self.wait_until_stopped()
        self.domain.migrateStartPostCopy()
        # Whoever waits for the switch has heard of it when the call returns.
        self.assertEqual(
            ('src', fake.VIR_DOMAIN_EVENT_SUSPENDED,
             fake.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY), self.events[-1])
        self.go_on()
        self.end()

        self.assertEqual([
            (fake.VIR_DOMAIN_EVENT_SUSPENDED,
             fake.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY),
            (fake.VIR_DOMAIN_EVENT_STOPPED,
             libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED),
        ], self.heard_on('src'))
        self.assertEqual([
            (fake.VIR_DOMAIN_EVENT_STARTED,
             libvirt.VIR_DOMAIN_EVENT_STARTED_MIGRATED),
            (fake.VIR_DOMAIN_EVENT_RESUMED,
             libvirt.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY),
            (fake.VIR_DOMAIN_EVENT_RESUMED,
             libvirt.VIR_DOMAIN_EVENT_RESUMED_MIGRATED),
        ], self.heard_on('dest'))
        self.assertEqual([1], self.iterations)

    def test_no_abort_after_the_switch(self):
        self.stop_at(guest.Happening.ITERATION)
        self.begin()
        self.wait_until_stopped()
        self.domain.migrateStartPostCopy()

        message = self.refuse(
            fake.VIR_ERR_OPERATION_INVALID, self.domain.abortJob)
        self.assertIn('cannot abort migration in post-copy mode', message)
        self.go_on()
        self.end()
        self.assertIsNone(self.error)

    def test_the_destination_may_not_use_userfaultfd(self):
        self.target.daemon.userfaultfd = False
        self.begin()
        self.end()

        self.assertIn('Postcopy is not supported', str(self.error))
        self.assertEqual({'src'}, set(self.cloud.domains(uuids.server)))
        self.assertEqual({'src'}, self.cloud.running_on(uuids.server))

    def test_not_of_a_paused_domain(self):
        self.domain.suspend()
        self.refuse(
            fake.VIR_ERR_OPERATION_UNSUPPORTED, self.domain.migrateToURI3,
            'qemu+tcp://dest/system', {'destination_xml': XML}, POST_COPY)

    def test_not_through_a_tunnel(self):
        self.refuse(
            fake.VIR_ERR_OPERATION_UNSUPPORTED, self.domain.migrateToURI3,
            'qemu+tcp://dest/system', {'destination_xml': XML},
            POST_COPY | fake.VIR_MIGRATE_TUNNELLED)


class TestTooEarly(TestCase):
    LINK = {'setup': 3600}

    def test_before_qemu_runs_the_migration(self):
        self.begin()
        self.wait_for(lambda: self.cloud.moves)
        # There is a job, which does not know of any memory.
        self.wait_for(lambda: self.domain.jobStats()['type']
                      == fake.VIR_DOMAIN_JOB_UNBOUNDED)
        self.assertNotIn('memory_total', self.domain.jobStats())

        message = self.refuse(
            fake.VIR_ERR_INTERNAL_ERROR, self.domain.migrateStartPostCopy)
        self.assertIn('Enable postcopy with migrate_set_capability', message)
        self.domain.abortJob()
        self.end()


class TestPreCopy(TestCase):
    def test_without_a_job(self):
        for call in (self.domain.migrateStartPostCopy, self.domain.abortJob):
            self.refuse(fake.VIR_ERR_OPERATION_INVALID, call)
        self.refuse(fake.VIR_ERR_OPERATION_INVALID,
                    self.domain.migrateSetMaxDowntime, 500)
        self.assertEqual({'type': fake.VIR_DOMAIN_JOB_NONE},
                         self.domain.jobStats())

    def test_switch_needs_the_flag(self):
        self.stop_at(guest.Happening.ITERATION)
        self.begin(FLAGS)
        self.wait_until_stopped()
        message = self.refuse(
            fake.VIR_ERR_OPERATION_INVALID, self.domain.migrateStartPostCopy)
        self.assertIn('VIR_MIGRATE_POSTCOPY', message)
        self.domain.abortJob()
        self.go_on()
        self.end()

    def test_abort(self):
        self.begin(FLAGS)
        self.wait_for(lambda: self.iterations)
        self.domain.abortJob()
        self.end()

        self.assertEqual(libvirt.VIR_ERR_OPERATION_ABORTED,
                         self.error.get_error_code())
        self.assertEqual({'type': fake.VIR_DOMAIN_JOB_NONE},
                         self.domain.jobStats())
        self.assertEqual({'src'}, set(self.cloud.domains(uuids.server)))
        self.assertEqual({'src'}, self.cloud.running_on(uuids.server))

    def test_statistics(self):
        self.stop_at(guest.Happening.ITERATION)
        self.begin(FLAGS)
        self.wait_until_stopped()
        stats = self.domain.jobStats()

        self.assertEqual(512 * MIB, stats['memory_total'])
        self.assertEqual(
            512 * MIB, stats['memory_processed'] + stats['memory_remaining'])
        self.assertEqual(1, stats['memory_iteration'])
        self.assertEqual(512 * MIB, stats['memory_bps'])
        self.assertEqual(1024 * MIB // 4096, stats['memory_dirty_rate'])
        self.domain.abortJob()
        self.go_on()
        self.end()

    def test_never_ends_until_the_downtime_allows_it(self):
        self.begin(FLAGS)
        self.wait_for(lambda: self.iterations and self.iterations[-1] > 5)
        self.domain.migrateSetMaxDowntime(1000)
        self.end()

        self.assertIsNone(self.error)
        self.assertEqual({'dest'}, self.cloud.running_on(uuids.server))
        self.assertEqual(
            [(fake.VIR_DOMAIN_EVENT_SUSPENDED,
              fake.VIR_DOMAIN_EVENT_SUSPENDED_MIGRATED),
             (fake.VIR_DOMAIN_EVENT_STOPPED,
              libvirt.VIR_DOMAIN_EVENT_STOPPED_MIGRATED)],
            self.heard_on('src'))
        self.assertEqual(
            list(range(1, len(self.iterations) + 1)), self.iterations)

    def test_a_guest_that_is_paused_on_its_way_runs_on_the_destination(self):
        self.begin(FLAGS)
        self.wait_for(lambda: self.iterations)
        self.domain.suspend()
        self.end()

        self.assertEqual({'dest'}, self.cloud.running_on(uuids.server))
        self.assertEqual([], self.cloud.ran_twice(uuids.server))

    def test_a_paused_guest_stays_paused(self):
        self.domain.suspend()
        self.begin(FLAGS)
        self.end()

        self.assertEqual(set(), self.cloud.running_on(uuids.server))
        self.assertEqual({'dest'}, set(self.cloud.domains(uuids.server)))

    def test_no_such_host(self):
        self.refuse(
            fake.VIR_ERR_SYSTEM_ERROR, self.domain.migrateToURI3,
            'qemu+tcp://nowhere/system', {'destination_xml': XML}, FLAGS)


class TestDomain(TestCase):
    def test_a_reason_ends_with_its_state(self):
        self.begin(FLAGS)
        self.domain.migrateSetMaxDowntime(1000)
        self.end()
        self.assertEqual(
            [fake.VIR_DOMAIN_RUNNING, names.VIR_DOMAIN_RUNNING_MIGRATED],
            self.on_target().state())
        # Upstream's method, which knows of no reason: libvirt's "unknown".
        self.on_target().shutdown()
        self.assertEqual([fake.VIR_DOMAIN_SHUTDOWN, 0],
                         self.on_target().state())

    def test_defined_again_while_it_runs(self):
        self.assertEqual(self.domain, self.source.defineXML(XML))
        self.assertTrue(self.domain.isActive())

    def test_work_goes_on_over_a_migration(self):
        workload = self.cloud.workload(uuids.server)
        self.begin()
        self.wait_for(lambda: self.iterations)
        self.domain.migrateStartPostCopy()
        self.end()
        self.wait_for(lambda: workload.course()[-1][1]
                      > workload.course()[-2][1])

        times, work = zip(*workload.course())
        self.assertEqual(sorted(times), list(times))
        self.assertEqual(sorted(work), list(work))

    def test_ran_twice_is_seen(self):
        self.target.createXML(XML, 0)
        ((_when, on_hosts),) = self.cloud.ran_twice(uuids.server)
        self.assertEqual({'src', 'dest'}, on_hosts)
