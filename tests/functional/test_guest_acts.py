# SPDX-License-Identifier: Apache-2.0

"""A guest that does something by itself while it is between two hosts."""

from lab.simulation import domain_object
from lab.simulation import guest
from tests.functional import base

Act = domain_object.DomainObject


class GuestActs(base.BreakingHosts):

    WAITS = base.BreakingHosts.WAITS | {
        'decisions.stranded.SURE_FOR_S': 3.0,
    }

    def act(self, act):
        self.hosts.let_guest(self.server['id'], act)

    def assert_stopped_on(self, host, status):
        """Check that the server is stopped there, and can be started."""
        migration = self.wait_for_migration(
            'completed', 'error', 'failed', 'cancelled')
        server = self.wait_until_settled()
        self.assertEqual(
            (status, host, 'SHUTOFF', 4),
            (migration['status'], server['OS-EXT-SRV-ATTR:host'],
             server['status'], server['OS-EXT-STS:power_state']))
        self.assertEqual(set(), self.hosts.running_on(server['id']))
        self.wait_for('no domain on the other host', lambda: (
            set(self.hosts.domains(server['id'])) == {host}))
        self.assert_no_records()
        self.api.post_server_action(server['id'], {'os-start': None})
        self.wait_for('ACTIVE', lambda: self.show()['status'] == 'ACTIVE')
        self.assert_on(host, migration)


class TestPowersItselfOff(GuestActs):

    def test_in_pre_copy(self):
        self.begin(guest.Happening.ITERATION)
        self.act(Act.power_off)
        self.go_on()
        self.assert_stopped_on('src', 'error')

    def test_in_post_copy(self):
        self.begin()
        self.act(Act.power_off)
        self.go_on()
        self.assert_stopped_on('dest', 'completed')
        self.assertEqual([], self.notified('error'))

    def test_while_it_is_interrupted(self):
        self.begin()
        self.interrupt()
        self.act(Act.power_off)
        self.assert_stopped_on('dest', 'completed')
        self.assertEqual(1, len(self.notified('end')))

    def test_while_nova_compute_on_the_source_is_down(self):
        self.begin()
        self.kill_compute('src')
        self.act(Act.power_off)
        self.go_on()
        self.restart_compute('src')
        self.assert_stopped_on('dest', 'completed')


class TestRestarts(GuestActs):

    def test_in_post_copy(self):
        self.begin()
        self.act(Act.restart_guest)
        self.go_on()
        self.settled('completed', 'dest')

    def test_while_it_is_interrupted(self):
        self.begin()
        self.interrupt()
        self.act(Act.restart_guest)
        self.hosts.heal()
        self.settled('completed', 'dest')


class TestStandsStill(GuestActs):
    """The disk on the destination is full, for example."""

    def assert_paused_on_dest(self):
        self.wait_for_migration('completed')
        server = self.wait_until_settled()
        self.assertEqual(
            ('dest', 'ACTIVE', 3),
            (server['OS-EXT-SRV-ATTR:host'], server['status'],
             server['OS-EXT-STS:power_state']))
        self.assertEqual({'dest'}, set(self.hosts.domains(server['id'])))
        self.assertEqual([], self.hosts.ran_twice(server['id']))
        self.assertEqual([], self.notified('error'))
        self.assert_no_records()

    def test_in_post_copy(self):
        self.begin()
        self.act(Act.stand_still)
        self.go_on()
        self.assert_paused_on_dest()

    def test_and_its_stream_breaks(self):
        self.begin()
        self.act(Act.stand_still)
        self.interrupt()
        self.hosts.heal()
        self.assert_paused_on_dest()
