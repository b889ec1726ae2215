# SPDX-License-Identifier: Apache-2.0

"""Each row of the contract, from REST to the two simulated hosts."""

from lab.simulation import guest
from lab.simulation import libvirt
from tests.functional import base

POSTCOPY = libvirt.VIR_MIGRATE_POSTCOPY
AUTO_CONVERGE = libvirt.VIR_MIGRATE_AUTO_CONVERGE
MIB = base.MIB


class TestTrue(base.TwoHosts):
    def test_moves_a_server_that_pre_copy_cannot(self):
        self.make_busy()
        self.assertFalse(guest.converges(
            self.hosts.workload(self.server['id']).guest, self.hosts.link,
            max_downtime=0.5))

        self.live_migrate(True)
        migration, _server = self.complete()

        self.assertEqual(('completed', True), (
            migration['status'], migration['post_copy']))
        self.assert_on('dest', migration)
        move = self.move()
        self.assertIsNotNone(move.at(guest.Happening.SWITCHED))
        # One pass of pre-copy before the switch, and nothing sent for long
        # after it: bounded, whatever the guest does.
        self.assertEqual(2, move.migration.iteration)
        self.assertLess(move.migration.sent,
                        3 * move.migration.guest.memory)
        self.assertLess(move.migration.downtime, 0.2)

    def test_auto_converge_is_off_for_it(self):
        self.flags(live_migration_permit_auto_converge=True, group='libvirt')
        self.restart_compute_service('src')
        self.make_busy()

        self.live_migrate(True)
        self.complete()

        self.assertEqual(
            POSTCOPY, self.move().flags & (POSTCOPY | AUTO_CONVERGE))

    def test_does_not_switch_when_pre_copy_ends_by_itself(self):
        self.live_migrate(True)
        migration, _server = self.complete()

        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)
        self.assertTrue(self.move().flags & POSTCOPY)
        self.assertIsNone(self.move().at(guest.Happening.SWITCHED))

    def test_a_paused_server_moves_by_pre_copy(self):
        self.api.post_server_action(self.server['id'], {'pause': None})
        self._wait_for_state_change(self.server, 'PAUSED')

        self.live_migrate(True)
        migration, server = self.complete()

        self.assertEqual(('completed', True), (
            migration['status'], migration['post_copy']))
        self.assertEqual(('dest', 'PAUSED'), (
            server['OS-EXT-SRV-ATTR:host'], server['status']))
        self.assertFalse(self.move().flags & POSTCOPY)
        self.assertEqual(set(), self.hosts.running_on(server['id']))
        self.assertEqual({'dest'}, set(self.hosts.domains(server['id'])))

    def test_named_destination(self):
        self.start_compute('third')
        for host in ('third', 'dest', 'src'):
            self.make_busy()
            self.live_migrate(True, host=host)
            migration, _server = self.complete()

            self.assertEqual('completed', migration['status'])
            self.assertEqual(host, migration['dest_compute'])
            self.assert_on(host, migration)

    def test_the_server_can_be_used_afterwards(self):
        self.make_busy()
        self.live_migrate(True)
        self.complete()

        self._reboot_server(self.server, hard=True)
        self.assert_on('dest')
        self._delete_server(self.server)
        self.assertEqual({}, self.hosts.domains(self.server['id']))


class TestFalse(base.TwoHosts):
    def start_hosts(self):
        # What the request takes away for this one migration.
        self.flags(live_migration_permit_post_copy=True,
                   live_migration_permit_auto_converge=True, group='libvirt')
        super().start_hosts()

    def test_never_by_post_copy(self):
        self.live_migrate(False)
        migration, _server = self.complete()

        self.assertEqual(('completed', False), (
            migration['status'], migration['post_copy']))
        self.assert_on('dest', migration)
        # With the host-wide flag upstream leaves auto-converge out.
        self.assertEqual(AUTO_CONVERGE, self.move().flags & (
            POSTCOPY | AUTO_CONVERGE))

    def test_force_complete_pauses_the_server_instead(self):
        self.make_busy()
        self.live_migrate(False)
        running = self.wait_for_migration('running')

        self.api.force_complete_migration(self.server['id'], running['id'])
        migration, _server = self.complete()

        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)
        self.assertIsNone(self.move().at(guest.Happening.SWITCHED))

    def test_only_for_this_one_migration(self):
        self.live_migrate(False)
        self.complete()
        self.live_migrate()
        self.complete()

        self.assertEqual([0, POSTCOPY], [
            move.flags & POSTCOPY for move in self.hosts.moves])


class TestAbsent(base.TwoHosts):
    def test_as_upstream(self):
        self.live_migrate()
        migration, _server = self.complete()

        self.assertEqual(('completed', None), (
            migration['status'], migration['post_copy']))
        self.assert_on('dest', migration)
        self.assertFalse(self.move().flags & POSTCOPY)

    def test_host_wide_post_copy_as_upstream(self):
        self.flags(live_migration_permit_post_copy=True, group='libvirt')
        self.restart_compute_service('src')
        self.make_busy()

        self.live_migrate()
        running = self.wait_for_migration('running')
        self.wait_for('the second pass', lambda: (
            self.hosts.moves and self.move().migration.iteration > 1))
        self.assertIsNone(self.move().at(guest.Happening.SWITCHED))
        self.api.force_complete_migration(self.server['id'], running['id'])
        migration, _server = self.complete()

        self.assertEqual(('completed', None), (
            migration['status'], migration['post_copy']))
        self.assert_on('dest', migration)
        self.assertTrue(self.move().flags & POSTCOPY)
        self.assertIsNotNone(self.move().at(guest.Happening.SWITCHED))

    def test_a_busy_server_never_ends(self):
        self.make_busy()
        self.live_migrate()

        self.wait_for('ten passes', lambda: (
            self.hosts.moves and self.move().migration.iteration > 10))

        (migration,) = self.in_progress()
        self.assertEqual('running', migration['status'])
        self.assertEqual({'src'}, self.hosts.running_on(self.server['id']))
        self.api.delete_migration(self.server['id'], migration['id'])
        self.wait_until_settled()
