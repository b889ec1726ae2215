# SPDX-License-Identifier: Apache-2.0

"""Requests that reach the source when the server is not as it was.

The cast of the conductor, or that of the API to the conductor, has waited in
its queue meanwhile.
"""

import threading

import fixtures

from lab.simulation import guest
from nova_post_copy.api import between_hosts
from nova_post_copy.conductor import endpoint
from nova_post_copy.conductor import task
from tests.functional import base
from tests.functional import test_between_hosts

SOURCE = 'nova.compute.rpcapi.ComputeAPI.live_migration'


class Arriving(test_between_hosts.Sequences):
    HOSTS = ('src', 'dest', 'third')
    NETWORKS = 'auto'
    VOLUMES = 1
    SHARED_INSTANCES_PATH = False
    #: no conductor dies here
    WAITS = base.BreakingHosts.WAITS | {
        'compute.dropped_requests.DROPPED_AFTER_S': 60}

    def live(self):
        """Return the server's live migrations, the oldest first."""
        return sorted((migration for migration in self.migrations()
                       if migration['migration_type'] == 'live-migration'),
                      key=lambda migration: migration['id'])

    def statuses(self):
        return [migration['status'] for migration in self.live()]


class TestEvacuated(Arriving):
    """Its source was dead, and the request waited for it."""

    # Upstream leaves a directory behind otherwise, and disconnects volumes by
    # the number that they have on the new host.
    SHARED_INSTANCES_PATH = True
    VOLUMES = 0

    def evacuate(self, host):
        """Evacuate the server before its source has the request.

        :returns: what lets the request arrive
        """
        held = []
        with fixtures.MonkeyPatch(
                SOURCE, lambda *args, **kwargs: held.append((args, kwargs))):
            self.live_migrate(True, 'dest')
            self.wait_for('request to the source', lambda: held)
        ((args, kwargs),) = held
        self.hosts.kill_qemu('src', self.server['id'])
        self.source_dies()
        self.reset_state('error')
        self.assert_taken({'evacuate': {'host': host}})
        self.wait_until_settled()
        return lambda: args[0].live_migration(*args[1:], **kwargs)

    def test_to_a_third_host(self):
        arrive = self.evacuate('third')
        self.source_comes_back()
        arrive()
        self.wait_for('error', lambda: self.statuses() == ['error'])
        self.assert_on('third', self.live()[0])
        self.assert_no_records()
        self.assertEqual([], self.hosts.moves)
        self.assertIn('did not begin', self.fault())

        # Nothing is in the way of the next one.
        self.live_migrate(True, 'dest')
        self.assertEqual('completed', self.complete()[0]['status'])
        self.assert_on('dest')

    def test_in_vain(self):
        # neutron refuses, because the request has bound the port there.
        arrive = self.evacuate('dest')
        self.assertEqual('ERROR', self.show()['status'])
        self.source_comes_back()
        arrive()
        self.wait_for('no allocations of the migration', lambda: (
            not self.allocated_on(self.live()[0]['uuid'])))
        server = self.wait_until_settled()
        self.assertEqual(('src', 'ERROR'), (
            server['OS-EXT-SRV-ATTR:host'], server['status']))
        self.assertEqual({'src'}, self.allocated_on(server['id']))
        self.wait_for('bindings', lambda: list(self.neutron.bindings(
            server['id']).values()) == [{'src': 'ACTIVE'}])
        self.assertEqual([], self.hosts.moves)
        self.assert_no_records()


class TestSoftDeleted(Arriving):
    """It was deleted before the conductor had the request."""

    def test_stays_so(self):
        self.flags(reclaim_instance_interval=3600)
        deleted = threading.Event()
        upstream = endpoint.PostCopyEndpoint.live_migrate_instance

        def wait(*args, **kwargs):
            self.assertTrue(deleted.wait(60))
            upstream(*args, **kwargs)

        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.conductor.endpoint.PostCopyEndpoint.'
            'live_migrate_instance', wait))
        self.live_migrate(True, 'dest')
        self.api.delete_server(self.server['id'])
        self.wait_for('soft deleted', lambda: (
            self.show()['OS-EXT-STS:vm_state'] == 'soft-delete'))
        deleted.set()
        self.wait_for('error', lambda: self.statuses() == ['error'])
        server = self.show()
        self.assertEqual(('soft-delete', None, 'src'), (
            server['OS-EXT-STS:vm_state'], server['OS-EXT-STS:task_state'],
            server['OS-EXT-SRV-ATTR:host']))
        self.assertEqual([], self.hosts.moves)
        self.assert_no_records()

        self.assert_taken({'restore': None})
        self.wait_for('restored', lambda: self.show()['status'] == 'ACTIVE')
        self.assert_on('src', self.live()[0])


class TestUpstreamsIsNotOver(Arriving):
    """A plain live migration goes on, and somebody resets the state."""

    def setUp(self):
        super().setUp()
        self.flags(max_concurrent_live_migrations=2)
        self.stop_at(guest.Happening.ITERATION)
        self.live_migrate(host='dest')
        self.wait_until_stopped()
        self.first = self.wait_for_migration('running')
        self.reset_state('active')
        self.before = self.state()

    def state(self):
        """Return what belongs to the first one."""
        server = self.server['id']
        return {
            'allocations': self.allocated_on(server),
            'of the first': self.allocated_on(self.first['uuid']),
            'bindings': self.neutron.bindings(server),
            'directories': self.directories(server),
            'moves': len(self.hosts.moves),
            'task state': self.show()['OS-EXT-STS:task_state'],
        }

    def assert_untouched_by(self, number):
        self.assertEqual(self.before, self.state())
        self.assertEqual(['running'] + number * ['error'], self.statuses())
        self.assert_no_records()
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))

    def test_refused(self):
        for value in (True, False):
            for host in (None, 'dest', 'third'):
                status, message = self.refused(value, host)
                self.assertEqual(409, status, message)
                self.assertIn('live migration %d has not finished (status '
                              '"running")' % self.first['id'], message)
                self.assertIn('Abort it', message)
        self.assert_untouched_by(0)
        self.assert_nothing_was_started()

    def ask(self):
        """Ask an API of another release.

        :returns: the error of the event
        """
        self.useFixture(fixtures.MockPatchObject(
            between_hosts, 'check_no_other'))
        self.live_migrate(True, 'third')
        self.wait_for('error', lambda: (
            self.statuses() == ['running', 'error'] and
            self.show()['OS-EXT-STS:task_state'] is None))
        return self.fault()

    def test_refused_by_the_conductor(self):
        self.assertIn('Live migration %d of the server has not finished'
                      % self.first['id'], self.ask())
        self.assert_untouched_by(1)

    def test_refused_by_the_source(self):
        self.useFixture(fixtures.MockPatchObject(
            task.LiveMigrationTask, '_check_no_other'))
        self.assertIn('Live migration %d of the server has not finished'
                      % self.first['id'], self.ask())
        self.assert_untouched_by(1)
        self.assertEqual(set(), self.allocated_on(self.live()[1]['uuid']))
