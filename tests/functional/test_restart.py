# SPDX-License-Identifier: Apache-2.0

"""Services that end and start again while a server is on its way."""

import contextlib
import os

import fixtures

from lab.simulation import domain_object
from lab.simulation import guest
from nova.compute import manager
from tests.functional import base


class TestSource(base.BreakingHosts):
    """nova-compute on the source is killed; libvirt does not mind."""

    def killed_in(self, happening):
        self.begin(happening)
        self.kill_compute('src')
        self.go_on()

    def restart(self):
        self.restart_compute('src')

    def test_in_pre_copy(self):
        self.killed_in(guest.Happening.ITERATION)
        self.restart()
        self.settled('completed', 'dest')
        # It is the same migration.
        self.assertEqual(1, len(self.hosts.moves))

    def test_at_the_switch(self):
        self.killed_in(guest.Happening.SWITCHED)
        self.restart()
        self.settled('completed', 'dest')

    def test_in_post_copy(self):
        self.killed_in(guest.Happening.RESUMED)
        self.stop_at(guest.Happening.COMPLETED)
        self.restart()
        self.go_on()
        self.settled('completed', 'dest')

    def test_while_it_is_interrupted(self):
        self.begin()
        self.interrupt()
        self.kill_compute('src')
        self.hosts.heal()
        self.restart()
        self.settled('completed', 'dest')

    def test_broken_while_it_is_dead(self):
        self.killed_in(guest.Happening.RESUMED)
        self.hosts.break_streams()
        self.restart()
        self.settled('completed', 'dest')

    def test_after_it_has_left(self):
        self.killed_in(guest.Happening.RESUMED)
        self.wait_for_happening(guest.Happening.COMPLETED)
        self.assertEqual('src', self.show()['OS-EXT-SRV-ATTR:host'])
        self.restart()
        self.settled('completed', 'dest')

    def test_without_a_record(self):
        self.killed_in(guest.Happening.RESUMED)
        folder = os.path.join(self.folder, 'src', 'post_copy')
        (name,) = os.listdir(folder)
        os.unlink(os.path.join(folder, name))
        self.restart()
        self.settled('completed', 'dest')

    def test_with_a_damaged_record(self):
        self.killed_in(guest.Happening.RESUMED)
        self.assertTrue(self.damage_record('src'))
        self.restart()
        self.settled('completed', 'dest')

    def test_no_second_copy_before_it_is_settled(self):
        self.killed_in(guest.Happening.RESUMED)
        self.wait_for_happening(guest.Happening.COMPLETED)
        # An operator gives up waiting, and would start the server again.
        self.api.post_server_action(
            self.server['id'], {'os-resetState': {'state': 'active'}})
        status, message = self.request(
            'POST', '/servers/%s/action' % self.server['id'],
            {'reboot': {'type': 'HARD'}})
        self.assertEqual(409, status)
        self.assertIn('has not finished', message)
        self.restart()

        self.wait_for('on dest', lambda: (
            self.show()['OS-EXT-SRV-ATTR:host'] == 'dest'))
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))

    def test_stopped_in_order(self):
        self.begin()
        self.computes['src'].stop()
        self.kill_compute('src')
        self.go_on()
        self.restart()
        self.settled('completed', 'dest')


class TestDestination(base.BreakingHosts):
    def test_dead_in_post_copy(self):
        self.begin()
        self.kill_compute('dest')
        self.go_on()
        self.wait_for_happening(guest.Happening.COMPLETED)
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
        self.restart_compute('dest')
        self.settled('completed', 'dest')

    def test_dead_while_it_is_interrupted(self):
        self.begin()
        self.interrupt()
        self.kill_compute('dest')
        self.hosts.heal()
        self.wait_for_happening(guest.Happening.COMPLETED)
        self.restart_compute('dest')
        self.settled('completed', 'dest')

    def test_both_dead(self):
        self.begin()
        self.kill_compute('src')
        self.kill_compute('dest')
        self.go_on()
        self.wait_for_happening(guest.Happening.COMPLETED)
        self.restart_compute('src')
        self.restart_compute('dest')
        self.settled('completed', 'dest')


class TestLastSteps(base.BreakingHosts):
    """One of Nova's own steps fails after the guest has arrived."""

    @contextlib.contextmanager
    def failing(self, name):
        """Let a method of upstream's manager fail, at first."""
        failed = []
        upstream = getattr(manager.ComputeManager, name)

        def fail_once(*args, **kwargs):
            if len(failed) < 2:
                failed.append(name)
                raise ConnectionError(name)
            return upstream(*args, **kwargs)

        with fixtures.MonkeyPatch(
                'nova.compute.manager.ComputeManager.' + name, fail_once):
            yield
        self.assertEqual(2, len(failed))

    def complete_although(self, name):
        self.begin()
        with self.failing(name):
            self.go_on()
            self.settled('completed', 'dest')

    def test_destination(self):
        self.complete_although('post_live_migration_at_destination')

    def test_placement(self):
        self.complete_although('_delete_allocation_after_move')

    def test_all_of_them(self):
        self.complete_although('_post_live_migration')


class TestRollback(base.BreakingHosts):
    """nova-compute is killed when all but the record is rolled back."""

    def killed_before_its_record_is_closed(self):
        closed = []
        self.computes['src'].manager._close = (
            lambda *args: closed.append(args))
        self.go_on()
        self.wait_for('rolled back', lambda: closed)
        self.kill_compute('src')
        self.restart_compute('src')

    def test_aborted(self):
        migration = self.begin(guest.Happening.ITERATION)
        self.api.api_delete('/servers/%s/migrations/%s' % (
            self.server['id'], migration['id']))
        self.killed_before_its_record_is_closed()
        self.settled('cancelled', 'src')

    def test_guest_has_powered_itself_off(self):
        self.begin(guest.Happening.ITERATION)
        self.hosts.let_guest(self.server['id'],
                             domain_object.DomainObject.power_off)
        self.killed_before_its_record_is_closed()
        self.assert_no_records()
        migration = self.wait_for_migration('error')
        server = self.wait_until_settled()
        self.assertEqual(('src', 'SHUTOFF'), (
            server['OS-EXT-SRV-ATTR:host'], server['status']))
        self.assertEqual({'src'}, self.allocated_on(server['id']))
        self.wait_for('no allocations of the migration', lambda: (
            not self.allocated_on(migration['uuid'])))


class TestSourceHostDies(base.BreakingHosts):
    def test_destination_says_so_until_it_comes_back(self):
        self.begin()
        self.interrupt()
        self.kill_compute('src')
        service = self.api.get_services(binary='nova-compute', host='src')[0]
        self.api.put_service_force_down(service['id'], True)

        self.wait_for('fault', self.faults)
        self.assertIn('runs on dest', self.fault())
        # An alarm, and not the end of the server.
        self.assertEqual('MIGRATING', self.show()['status'])

        self.api.put_service_force_down(service['id'], False)
        self.restart_compute('src')
        self.hosts.heal()
        self.settled('completed', 'dest')
