# SPDX-License-Identifier: Apache-2.0

"""A migration on its way: seen, completed by force, aborted, on the net."""

from lab.simulation import guest
from nova_post_copy.api import microversion
from nova_post_copy.api import phase
from tests.functional import base

# Upstream's newest, and some at which these responses have changed.
BELOW = ('2.%d' % (int(microversion.VERSION.split('.')[1]) - 1),
         '2.80', '2.59', '2.23')


class TestBeforeTheSwitch(base.TwoHosts):
    def setUp(self):
        super().setUp()
        self.make_busy()
        self.stop_at(guest.Happening.ITERATION)
        self.live_migrate(True)
        self.wait_until_stopped()
        self.migration = self.wait_for_migration('running')

    def test_what_is_seen(self):
        (migration,) = self.in_progress()
        self.assertEqual(
            ('running', True), (migration['status'], migration['post_copy']))
        self.wait_for('progress', lambda: (
            self.in_progress()[0]['memory_total_bytes']))
        migration = self.api.api_get('/servers/%s/migrations/%s' % (
            self.server['id'], self.migration['id'])).body['migration']
        self.assertTrue(migration['post_copy'])
        self.assertEqual('pre-copy', migration['phase'])
        self.assertEqual(self.show()['progress'], migration['progress'])
        self.assertEqual(512 * base.MIB, migration['memory_total_bytes'])
        self.assertEqual('MIGRATING', self.show()['status'])
        self.go_on()
        self.complete()

    def test_abort_leaves_the_server_as_it_was(self):
        self.api.delete_migration(self.server['id'], self.migration['id'])
        self.go_on()
        migration, _server = self.complete()

        self.assertEqual('cancelled', migration['status'])
        self.assert_on('src', migration)
        self.assertNotIn('fault', self.show())
        # It can be moved again.
        self.live_migrate(True)
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)

    def test_force_complete_switches_at_once(self):
        self.api.force_complete_migration(
            self.server['id'], self.migration['id'])
        self.wait_for('switch', lambda: (
            self.move().at(guest.Happening.SWITCHED) is not None))
        self.assertEqual(1, self.move().migration.iteration)
        self.go_on()
        migration, _server = self.complete()

        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)


class TestBeforeQemuRuns(base.TwoHosts):
    LINK = {'setup': 6}

    def test_a_switch_asked_for_too_early_is_tried_again(self):
        self.make_busy()
        self.live_migrate(True)
        running = self.wait_for_migration('running')
        self.api.force_complete_migration(self.server['id'], running['id'])
        migration, _server = self.complete()

        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)
        self.assertEqual(1, self.move().migration.iteration)


class TestAfterTheSwitch(base.TwoHosts):
    def setUp(self):
        super().setUp()
        self.make_busy()
        self.stop_at(guest.Happening.RESUMED)
        self.live_migrate(True)
        self.wait_until_stopped()
        self.migration = self.wait_for_migration('running (post-copy)')
        self.path = '/servers/%s/migrations/%s' % (
            self.server['id'], self.migration['id'])

    def tearDown(self):
        self.go_on()
        self.complete()
        super().tearDown()

    def test_stays_visible(self):
        (migration,) = self.in_progress()
        self.assertEqual(
            ('running (post-copy)', 'post-copy', True),
            (migration['status'], migration['phase'], migration['post_copy']))
        self.assertEqual(
            migration, self.api.api_get(self.path).body['migration'])
        self.assertEqual('post-copy', self.migrations()[0]['phase'])

    def test_below_our_microversion_nothing_has_changed(self):
        for version in BELOW:
            with self.microversion_is(version):
                self.assertEqual([], self.in_progress())
                status, _message = self.request('GET', self.path)
                self.assertEqual(404, status)
                (migration,) = self.migrations()
                self.assertEqual('running (post-copy)', migration['status'])
                self.assertNotIn('post_copy', migration)
                self.assertNotIn('phase', migration)

    def test_abort_is_refused(self):
        status, message = self.request('DELETE', self.path)

        self.assertEqual(409, status)
        self.assertIn('already running on the destination', message)
        self.assertIn('can no longer be aborted', message)
        self.go_on()
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)

    def test_abort_below_our_microversion(self):
        for version in BELOW[:-1]:
            with self.microversion_is(version):
                status, message = self.request('DELETE', self.path)
            self.assertEqual(400, status)
            self.assertIn('is running (post-copy). Cannot abort', message)

    def test_force_complete_is_refused(self):
        status, message = self.request(
            'POST', self.path + '/action', {'force_complete': None})

        self.assertEqual(409, status)
        self.assertIn('nothing left to force', message)

    def test_it_runs_on_the_destination_only(self):
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))


class TestAllTheWay(base.TwoHosts):
    # Long enough for some looks in each phase.
    SPEED = 1.0

    def look_until_it_is_over(self):
        """Return phase and per cent of each look, in their order."""
        seen = []

        def over():
            seen.extend((migration['phase'], migration['progress'])
                        for migration in self.in_progress())
            return self.migrations()[0]['phase'] is None

        self.wait_for('end', over, timeout=60)
        return seen

    def test_progress_never_goes_back(self):
        self.make_busy()
        self.live_migrate(True)
        self.wait_for('record', self.migrations)
        seen = self.look_until_it_is_over()

        migration, _server = self.complete()
        self.assert_on('dest', migration)
        phases, percents = zip(*seen)
        order = [*phase.Phase]
        self.assertEqual(sorted(phases, key=order.index), list(phases))
        self.assertLessEqual({'pre-copy', 'post-copy'}, set(phases))
        self.assertEqual(sorted(percents), list(percents))
        self.assertGreater(len(set(percents)), 2)


class TestPorts(base.TwoHosts):
    def setUp(self):
        super().setUp()
        self.port = self.neutron.port_1['id']
        self._delete_server(self.server)
        self.server = self._create_server(
            host='src', networks=[{'port': self.port}])
        self.make_busy()

    def test_active_on_the_destination_at_the_switch(self):
        self.stop_at(guest.Happening.SWITCHED)
        self.live_migrate(True)
        self.wait_until_stopped()

        # The guest has not run on the destination yet. That the event of the
        # switch finds the migration needs its status to be saved before.
        self.wait_for('active binding', lambda: (
            self.bindings().get('dest') == 'ACTIVE'))
        self.assertEqual(set(), self.hosts.running_on(self.server['id']))

        self.go_on()
        migration, _server = self.complete()
        self.assert_on('dest', migration)
        self.assertEqual({'dest': 'ACTIVE'}, self.bindings())

    def bindings(self):
        return {host: binding['status'] for host, binding
                in self.neutron._port_bindings[self.port].items()}
