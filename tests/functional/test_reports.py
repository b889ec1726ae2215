# SPDX-License-Identifier: Apache-2.0

"""What Nova says of a server while one of its hosts cannot say anything."""

import fixtures
from oslo_db import exception as db_exception

from nova import objects
from tests.functional import base


class TestStatus(base.BreakingHosts):

    def test_a_write_that_fails_is_repeated(self):
        upstream = objects.Migration.save
        failed = []

        def save(migration):
            if (migration.status == 'interrupted (post-copy)' and
                    len(failed) < 2):
                failed.append(1)
                raise db_exception.DBConnectionError()
            upstream(migration)

        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.Migration.save', save))
        self.begin()
        self.interrupt()
        self.assertEqual(2, len(failed))
        self.hosts.heal()
        self.settled('completed', 'dest')


class TestSilence(base.BreakingHosts):
    """nova-compute on one host does not answer for long."""

    def test_destination(self):
        self.begin()
        self.interrupt()
        self.kill_compute('dest')
        (told,) = self.wait_for('notification', lambda: self.notified(
            'progress'))
        self.assertIn('does not answer', told['payload']['nova_object.data'][
            'fault']['nova_object.data']['exception_message'])
        # The server runs, and no controller takes it for dead.
        self.assertEqual('MIGRATING', self.show()['status'])
        self.assertIn('does not answer', self.fault())

        # Once, also over a restart of the source.
        self.kill_compute('src')
        self.restart_compute('src')
        self.hosts.heal()
        self.restart_compute('dest')
        self.settled('completed', 'dest')
        self.assertEqual(1, len(self.notified('progress')))

    def test_destination_where_that_is_an_error(self):
        self.flags(error_when_unreachable=True, group='post_copy')
        self.begin()
        self.interrupt()
        self.kill_compute('dest')
        self.wait_for('ERROR', lambda: self.show()['status'] == 'ERROR')
        self.hosts.heal()
        self.restart_compute('dest')
        self.settled('completed', 'dest')

    def lose_control_network(self):
        """Let nova-compute on the source run, and hear nothing."""
        self.begin()
        self.interrupt()
        self.processes['src'].disconnect()
        self.force_down('src')

    def control_network_comes_back(self):
        self.processes['src'].reconnect()
        self.force_down('src', False)
        self.hosts.heal()
        self.settled('completed', 'dest')

    def test_source_whose_control_network_is_lost(self):
        self.lose_control_network()
        self.wait_for('the fault', lambda: any(
            'whose nova-compute is down' in fault.message
            for fault in self.faults()))
        self.assertEqual('MIGRATING', self.show()['status'])
        self.control_network_comes_back()

    def test_source_whose_control_network_is_lost_where_that_is_an_error(
            self):
        self.flags(error_when_unreachable=True, group='post_copy')
        self.lose_control_network()
        self.wait_for('ERROR', lambda: self.show()['status'] == 'ERROR')
        self.control_network_comes_back()
