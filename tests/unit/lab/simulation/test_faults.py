# SPDX-License-Identifier: Apache-2.0

"""What befalls simulated hosts is what befalls real ones."""

from nova.tests.fixtures import libvirt as fake
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import guest
from lab.simulation import names
from lab.simulation import timing
from tests.unit.lab.simulation import test_libvirt as base

RUNNING = fake.VIR_DOMAIN_RUNNING
PAUSED = fake.VIR_DOMAIN_PAUSED
SHUTOFF = fake.VIR_DOMAIN_SHUTOFF
RESUME = base.POST_COPY | names.VIR_MIGRATE_POSTCOPY_RESUME

MOVING = [PAUSED, names.VIR_DOMAIN_PAUSED_POSTCOPY]
BROKEN = [PAUSED, names.VIR_DOMAIN_PAUSED_POSTCOPY_FAILED]
ARRIVING = [RUNNING, names.VIR_DOMAIN_RUNNING_POSTCOPY]
BROKEN_THERE = [RUNNING, names.VIR_DOMAIN_RUNNING_POSTCOPY_FAILED]
ARRIVED = [RUNNING, names.VIR_DOMAIN_RUNNING_MIGRATED]


class TestCase(base.TestCase):
    def begin_pre_copy(self):
        self.stop_at(guest.Happening.ITERATION)
        self.begin()
        self.wait_until_stopped()
        self.go_on()

    def switch(self):
        """Leave the time standing in post-copy."""
        self.begin_pre_copy()
        self.stop_at(guest.Happening.RESUMED)
        self.domain.migrateStartPostCopy()
        self.wait_until_stopped()
        self.cloud.stop_at = set()

    def wait_for_state(self, domain, state):
        self.wait_for(lambda: domain().state() == state)

    def on_source(self):
        return self.source.lookupByUUIDString(uuids.server)

    def resume(self):
        self.begin(RESUME)

    def refuse_resume(self, code):
        return self.refuse(
            code, self.on_source().migrateToURI3, 'qemu+tcp://dest/system',
            {'destination_xml': base.XML}, RESUME)

    def assert_arrived(self):
        self.wait_for_state(self.on_target, ARRIVED)
        self.assertEqual({'dest'}, self.cloud.running_on(uuids.server))
        self.assertEqual([], self.cloud.ran_twice(uuids.server))

    def assert_stayed(self):
        self.assertEqual(RUNNING, self.on_source().state()[0])
        self.assertEqual({'src'}, set(self.cloud.domains(uuids.server)))
        self.assertEqual({'src'}, self.cloud.running_on(uuids.server))
        self.assertEqual([], self.cloud.ran_twice(uuids.server))


class TestTcp(base.testtools.TestCase):
    def test_waits_twice_as_long_each_time(self):
        # LAB.md: a stream that was cut for 5 s went on 1.6 s later, after
        # 60 s 48 s later.
        self.assertAlmostEqual(6.2, timing.next_retransmission(0, 5))
        self.assertAlmostEqual(102.2, timing.next_retransmission(0, 60))


class TestNetwork(TestCase):
    def test_short_cut_heals_by_itself(self):
        self.switch()
        self.cloud.cut()
        self.cloud.clock.go_on()
        self.wait_for(lambda: self.cloud.clock.now() - self.cloud.cut_at > 4)
        self.assertEqual(MOVING, self.domain.state())
        before = self.domain.jobStats()
        self.wait_for(lambda: self.domain.jobStats()['time_elapsed']
                      > before['time_elapsed'])
        self.assertEqual(before['memory_remaining'],
                         self.domain.jobStats()['memory_remaining'])
        self.cloud.heal()
        self.end()

        self.assertIsNone(self.error)
        self.assert_arrived()

    def test_long_cut_goes_on_unattended(self):
        self.switch()
        self.cloud.cut()
        self.cloud.clock.go_on()
        self.end()

        self.assertIn('Lost connection to destination host', str(self.error))
        self.assertEqual(BROKEN, self.domain.state())
        self.assertEqual(ARRIVING, self.on_target().state())
        self.refuse_resume(fake.VIR_ERR_SYSTEM_ERROR)
        self.cloud.heal()
        self.assertIn('still running', self.refuse_resume(
            fake.VIR_ERR_OPERATION_INVALID))
        self.assert_arrived()
        # Nobody was there to undefine it.
        self.assertEqual([SHUTOFF, names.VIR_DOMAIN_SHUTOFF_MIGRATED],
                         self.on_source().state())

    def test_cut_in_pre_copy_ends_on_the_source(self):
        self.begin_pre_copy()
        self.cloud.cut()
        self.end()

        self.assertIn('Lost connection to destination host', str(self.error))
        self.assert_stayed()
        self.refuse(fake.VIR_ERR_SYSTEM_ERROR, self.domain.migrateToURI3,
                    'qemu+tcp://dest/system', {'destination_xml': base.XML},
                    base.POST_COPY)

    def test_broken_in_pre_copy(self):
        self.begin_pre_copy()
        self.cloud.break_streams()
        self.end()

        self.assertEqual(fake.VIR_ERR_OPERATION_FAILED,
                         self.error.get_error_code())
        self.assert_stayed()

    def test_broken_and_resumed(self):
        self.switch()
        self.cloud.break_streams()
        self.end()
        self.assertIn('post-copy phase failed', str(self.error))
        self.assertEqual(BROKEN, self.domain.state())
        self.assertEqual(BROKEN_THERE, self.on_target().state())
        self.assertEqual(fake.VIR_DOMAIN_JOB_UNBOUNDED,
                         self.domain.jobStats()['type'])
        self.assertEqual(
            (fake.VIR_DOMAIN_EVENT_SUSPENDED,
             names.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY_FAILED),
            self.heard_on('src')[-1])
        self.assertEqual(
            (fake.VIR_DOMAIN_EVENT_RESUMED,
             names.VIR_DOMAIN_EVENT_RESUMED_POSTCOPY_FAILED),
            self.heard_on('dest')[-1])

        self.error = None
        self.resume()
        self.wait_for_state(self.on_source, MOVING)
        self.assertIn('another thread', self.refuse_resume(
            fake.VIR_ERR_OPERATION_INVALID))
        self.cloud.clock.go_on()
        self.end()
        self.assertIsNone(self.error)
        self.assert_arrived()
        self.refuse(fake.VIR_ERR_NO_DOMAIN, self.on_source)

    def test_destination_has_not_noticed(self):
        self.switch()
        self.cloud.cut()
        self.domain.abortJobFlags(names.VIR_DOMAIN_ABORT_JOB_POSTCOPY)
        self.assertEqual(BROKEN, self.domain.state())
        self.assertEqual(ARRIVING, self.on_target().state())
        self.cloud.heal()
        # libvirt's own call has not noticed either.
        self.assertIn('another thread', self.refuse_resume(
            fake.VIR_ERR_OPERATION_INVALID))
        self.cloud.clock.go_on()
        self.end()
        self.assertEqual(BROKEN_THERE, self.on_target().state())
        self.resume()
        self.end()
        self.assert_arrived()

    def test_destination_is_told(self):
        self.switch()
        self.cloud.cut()
        self.domain.abortJobFlags(names.VIR_DOMAIN_ABORT_JOB_POSTCOPY)
        self.assertEqual(1, self.cloud.break_incoming(uuids.server))
        self.assertEqual(BROKEN_THERE, self.on_target().state())
        self.assertEqual(0, self.cloud.break_incoming(uuids.server))

    def test_live_connection_is_not_broken(self):
        self.switch()
        self.assertEqual(0, self.cloud.break_incoming(uuids.server))
        self.assertEqual(ARRIVING, self.on_target().state())

    def test_break_at_the_switch_loses_the_destination(self):
        self.begin_pre_copy()
        self.stop_at(guest.Happening.SWITCHED)
        self.domain.migrateStartPostCopy()
        self.cloud.break_streams()
        self.end()

        self.assertEqual(BROKEN, self.domain.state())
        self.assertEqual([SHUTOFF, names.VIR_DOMAIN_SHUTOFF_CRASHED],
                         self.on_target().state())

    def test_break_by_hand_only_in_post_copy(self):
        self.begin_pre_copy()
        self.assertIn('not outgoing migration in post-copy', self.refuse(
            fake.VIR_ERR_OPERATION_INVALID, self.domain.abortJobFlags,
            names.VIR_DOMAIN_ABORT_JOB_POSTCOPY))
        self.domain.abortJob()
        self.end()
        self.assert_stayed()


class TestResumeIsRefused(TestCase):
    def test_without_a_migration(self):
        self.refuse_resume(fake.VIR_ERR_OPERATION_INVALID)

    def test_without_the_post_copy_flag(self):
        self.refuse(
            fake.VIR_ERR_ARGUMENT_UNSUPPORTED, self.domain.migrateToURI3,
            'qemu+tcp://dest/system', {'destination_xml': base.XML},
            base.FLAGS | names.VIR_MIGRATE_POSTCOPY_RESUME)

    def test_where_the_destination_is_dead(self):
        self.switch()
        self.cloud.kill_qemu('dest', uuids.server)
        self.end()
        self.assertIn('is not processing incoming migration',
                      self.refuse_resume(fake.VIR_ERR_OPERATION_INVALID))

    def test_where_the_destination_knows_nothing(self):
        self.switch()
        self.on_target().destroy()
        self.on_target().undefine()
        self.end()
        self.refuse_resume(fake.VIR_ERR_NO_DOMAIN)


class TestLibvirtd(TestCase):
    def restart(self, connection):
        connection.daemon.restart()
        error = self.assertRaises(fake.libvirtError, connection.getLibVersion)
        self.assertEqual(
            (fake.VIR_ERR_SYSTEM_ERROR, fake.VIR_FROM_RPC),
            (error.get_error_code(), error.get_error_domain()))
        return base.libvirt.Connection(connection.daemon)

    def test_source_in_pre_copy(self):
        self.begin_pre_copy()
        self.source = self.restart(self.source)
        self.end()
        self.assertIn('End of file', str(self.error))
        self.assertRaises(fake.libvirtError, self.domain.state)
        self.assert_stayed()

    def test_destination_in_pre_copy(self):
        self.begin_pre_copy()
        self.target = self.restart(self.target)
        self.end()
        self.assertIsNotNone(self.error)
        self.assert_stayed()

    def test_source_in_post_copy(self):
        self.switch()
        self.source = self.restart(self.source)
        self.end()
        self.assertIn('End of file', str(self.error))
        self.assertEqual(MOVING, self.on_source().state())
        self.assertIn('still running', self.refuse_resume(
            fake.VIR_ERR_OPERATION_INVALID))
        self.cloud.clock.go_on()
        self.assert_arrived()
        self.assertEqual([SHUTOFF, names.VIR_DOMAIN_SHUTOFF_MIGRATED],
                         self.on_source().state())

    def test_destination_in_post_copy(self):
        self.switch()
        self.target = self.restart(self.target)
        self.end()
        self.assertEqual(BROKEN, self.domain.state())
        self.cloud.clock.go_on()
        self.assert_arrived()

    def test_broken_while_nobody_attends(self):
        self.switch()
        self.source = self.restart(self.source)
        self.end()
        self.cloud.break_streams()
        self.assertEqual(BROKEN, self.on_source().state())
        self.domain = self.on_source()
        self.resume()
        self.cloud.clock.go_on()
        self.end()
        self.assert_arrived()


class TestQemu(TestCase):
    def test_source_in_pre_copy(self):
        self.begin_pre_copy()
        self.cloud.kill_qemu('src', uuids.server)
        self.end()
        self.assertIn('domain is not running', str(self.error))
        self.assertEqual([SHUTOFF, names.VIR_DOMAIN_SHUTOFF_CRASHED],
                         self.domain.state())
        self.assertEqual({'src'}, set(self.cloud.domains(uuids.server)))

    def test_source_destroyed_in_pre_copy(self):
        self.begin_pre_copy()
        self.domain.destroy()
        self.end()
        self.assertIn('domain is not running', str(self.error))
        self.assertEqual([SHUTOFF, names.VIR_DOMAIN_SHUTOFF_DESTROYED],
                         self.domain.state())
        self.assertEqual({'src'}, set(self.cloud.domains(uuids.server)))
        self.assertEqual(set(), self.cloud.running_on(uuids.server))

    def test_destination_in_pre_copy(self):
        self.begin_pre_copy()
        self.cloud.kill_qemu('dest', uuids.server)
        self.end()
        self.assertIsNotNone(self.error)
        self.assert_stayed()

    def test_source_in_post_copy(self):
        self.switch()
        self.cloud.kill_qemu('src', uuids.server)
        self.end()
        self.assertIn('domain is not running', str(self.error))
        self.assertEqual([SHUTOFF, names.VIR_DOMAIN_SHUTOFF_CRASHED],
                         self.domain.state())
        self.assertEqual(BROKEN_THERE, self.on_target().state())

    def test_destination_in_post_copy(self):
        self.switch()
        self.cloud.kill_qemu('dest', uuids.server)
        self.end()
        self.assertEqual(BROKEN, self.domain.state())
        self.assertEqual([SHUTOFF, names.VIR_DOMAIN_SHUTOFF_CRASHED],
                         self.on_target().state())

    def test_destination_while_the_network_is_cut(self):
        self.switch()
        self.cloud.cut()
        self.cloud.kill_qemu('dest', uuids.server)
        self.assertEqual(MOVING, self.domain.state())
        self.cloud.heal()
        self.cloud.clock.go_on()
        self.end()
        self.assertEqual(BROKEN, self.domain.state())

    def test_source_while_the_network_is_cut(self):
        self.switch()
        self.cloud.cut()
        self.cloud.kill_qemu('src', uuids.server)
        self.end()
        self.assertEqual(ARRIVING, self.on_target().state())
        self.cloud.heal()
        self.cloud.clock.go_on()
        self.wait_for_state(self.on_target, BROKEN_THERE)


class TestClient(TestCase):
    def test_killed(self):
        self.switch()
        self.source.kill()
        # Its thread ends without an error that it could handle.
        self.assertRaises(names.Killed, self.domain.state)
        self.thread.join(20)
        self.assertFalse(self.thread.is_alive())
        self.assertIsNone(self.error)

        self.source = base.libvirt.Connection(self.source.daemon)
        self.assertEqual(MOVING, self.on_source().state())
        self.cloud.clock.go_on()
        self.assert_arrived()
        # libvirtd attends to it, so it undefines it.
        self.refuse(fake.VIR_ERR_NO_DOMAIN, self.on_source)

    def test_killed_client_hears_nothing(self):
        self.switch()
        self.source.kill()
        heard = list(self.heard_on('src'))
        self.cloud.clock.go_on()
        self.assert_arrived()
        self.source.daemon.wait_for_delivery()
        self.assertEqual(heard, self.heard_on('src'))


class TestNoSecondCopyByMistake(TestCase):
    def test_resume_of_the_source_after_the_switch(self):
        self.switch()
        self.refuse(fake.VIR_ERR_OPERATION_TIMEOUT, self.domain.resume)
        self.refuse(fake.VIR_ERR_OPERATION_INVALID, self.domain.create)
