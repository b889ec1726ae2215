# SPDX-License-Identifier: Apache-2.0

"""What a migration that is interrupted keeps others from: nothing."""

import collections
import time

from lab.simulation import guest
from tests.functional import base


class ManyServers(base.BreakingHosts):
    """More servers than the one that all tests have."""

    #: s until one of them gets on
    TIMEOUT_S = 60

    def create_more(self, number):
        request = self._build_server(host='src', networks='none')
        self.api.post_server({'server': request | {
            'min_count': number, 'max_count': number}})
        self._wait_until_all_are('ACTIVE', lambda: [
            server['status'] for server in self.api.get_servers()])
        self.servers = [self.server] + [
            server for server in self.api.get_servers()
            if server['id'] != self.server['id']]

    def migrate(self, server):
        self.api.post_server_action(server['id'], self.body(True))

    def newest(self):
        """Return the newest migration of each server, in their order."""
        found = {}
        for migration in self.api.api_get(
                '/os-migrations').body['migrations']:
            found.setdefault(migration['instance_uuid'], migration)
        return [found.get(server['id'], {'status': None})
                for server in self.servers]

    def statuses(self):
        return [migration['status'] for migration in self.newest()]

    def wait_until_all_are(self, status):
        """Wait for the migrations, as long as one of them gets on."""
        self._wait_until_all_are(status, self.statuses)

    def _wait_until_all_are(self, status, ask):
        before = deadline = None
        while set(found := ask()) != {status}:
            if found != before:
                before = found
                deadline = time.monotonic() + self.TIMEOUT_S
            self.assertLess(time.monotonic(), deadline,
                            collections.Counter(found))
            time.sleep(0.5)

    def assert_all_on(self, host):
        for server in self.servers:
            shown = self.wait_for('no task', lambda server=server: next(
                (one for one in [self.api.get_server(server['id'])]
                 if one['OS-EXT-STS:task_state'] is None), None))
            self.assertEqual(
                (host, 'ACTIVE'),
                (shown['OS-EXT-SRV-ATTR:host'], shown['status']))
            self.assertEqual({host}, self.hosts.running_on(server['id']))
            self.assertEqual([], self.hosts.ran_twice(server['id']))


class TestOneSlot(ManyServers):
    """[DEFAULT] max_concurrent_live_migrations is 1, as by default."""

    def test_an_interrupted_migration_gives_its_slot_back(self):
        self.create_more(1)
        self.begin()
        self.interrupt()

        # Another server gets its turn at once, and fails in pre-copy.
        self.migrate(self.servers[1])
        self.wait_for('the turn of the other server', lambda: (
            self.statuses()[1] not in ('accepted', 'queued', None)))
        self.assertEqual('interrupted (post-copy)', self.statuses()[0])

        self.hosts.heal()
        self.settled('completed', 'dest')
        self.wait_for('the end of the other', lambda: (
            self.statuses()[1] in ('completed', 'error')))

    def test_stopped_while_it_is_interrupted(self):
        self.begin()
        self.interrupt()
        # Nobody waits for it, and the next start continues it.
        self.computes['src'].stop()
        self.kill_compute('src')
        self.hosts.heal()
        self.restart_compute('src')
        self.settled('completed', 'dest')


class TestTwentyAtOnce(ManyServers):
    """A host's network is away while all of its servers leave it."""

    NUMBER = 20
    # It is the work of many tests.
    TIMEOUT_SCALING_FACTOR = 4
    # The conductor takes one after the other, and as many monitors have less
    # of the processor each.
    WAITS = ManyServers.WAITS | {
        'compute.dropped_requests.DROPPED_AFTER_S': 600,
        'migration.phase.BEAT_S': 1.0,
        'migration.phase.QUICK_BEAT_S': 0.25,
    }
    RECONCILE_INTERVAL_S = 2.0
    #: so that pre-copy lasts until all of them are there, and post-copy until
    #: all are interrupted
    SWITCH_POLICY = 'manual'
    BANDWIDTH = base.MIB

    def setUp(self):
        self.flags(max_concurrent_live_migrations=self.NUMBER,
                   default_thread_pool_size=2 * self.NUMBER)
        self.flags(instances=-1, cores=-1, ram=-1, group='quota')
        super().setUp()
        # Twenty checks at once take their time on a small machine.
        self.flags(rpc_response_timeout=60)

    def test_all_recover(self):
        self.create_more(self.NUMBER - 1)
        for server in self.servers:
            self.hosts.make_busy(
                server['id'], self.WORKING_SET, self.DIRTY_RATE)
            self.migrate(server)
        self.wait_until_all_are('running')
        for migration in self.newest():
            self.api.post_server_action(
                '%s/migrations/%d' % (
                    migration['instance_uuid'], migration['id']),
                {'force_complete': None})
        self.wait_for('all in post-copy', lambda: (
            len(self.hosts.moves) == self.NUMBER and
            all(move.at(guest.Happening.RESUMED) is not None
                for move in self.hosts.moves)), self.TIMEOUT_S)
        self.hosts.cut()
        self.hosts.break_streams()
        self.wait_until_all_are('interrupted (post-copy)')
        # The rest of their memory need not take as long.
        self.hosts.clock.stop()
        self.hosts.clock.speed = 100 * self.SPEED
        self.hosts.clock.go_on()
        self.hosts.heal()
        self.wait_until_all_are('completed')
        self.assert_all_on('dest')
