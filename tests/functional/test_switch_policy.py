# SPDX-License-Identifier: Apache-2.0

"""When a server is switched, by policy, and what is told of it.

The simulated time stops at each boundary of iterations until the test has
looked: however slow the machine is, no monitor is late.
"""

import re

import fixtures
from lab.simulation import guest
from tests.functional import base

DEGRADED = 'compute_live_migration_post_copy_degraded'


class SwitchPolicyTestCase(base.TwoHosts):
    # By the end of it the guest is measured, which takes 1 s; that is begun
    # by a thread, and on a busy machine not at once.
    LINK = {'setup': 8}

    def setUp(self):
        super().setUp()
        # The time stands still, and not the stream.
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.decisions.recovery.STILL_AFTER_S', 600.0))

    def begin(self, policy):
        """Migrate up to the beginning of the first pass."""
        self.flags(switch_policy=policy, group='post_copy')
        self.stop_at(guest.Happening.ITERATION)
        self.live_migrate(True)
        self.wait_until_stopped()
        self.migration = self.wait_for_migration(
            'running', 'running (post-copy)')

    def pass_over(self):
        """Let the time pass to the next boundary."""
        iteration = self.move().migration.iteration
        self.hosts.clock.go_on()
        self.wait_for('boundary', lambda: (
            self.hosts.clock.stopped
            and self.move().migration.iteration > iteration))

    def wait_for_a_look(self):
        """Wait until the monitor has seen how things are."""
        # Read each time: on a slow machine the time stops a moment after the
        # boundary, and a moment later the simulation has got there.
        self.wait_for('look', lambda: (
            self.in_progress()[0]['memory_remaining_bytes']
            == round(self.move().migration.remaining)))

    def switched_in(self):
        """Return the iteration in which it was switched; None: never."""
        return next((event.iteration for event in self.move().events
                     if event.what is guest.Happening.SWITCHED), None)

    def wait_for_switch(self):
        self.wait_for('switch', self.switched_in)

    def events(self):
        """Return the events of the newest live migration, by name."""
        action = next(
            action for action
            in self.api.get_instance_actions(self.server['id'])
            if action['action'] == 'live-migration')
        return {event['event']: event for event
                in self.api.get_instance_action_details(
                    self.server['id'], action['request_id'])['events']}

    def assert_switches_after_one_pass(self):
        self.wait_for_a_look()
        self.assertIsNone(self.switched_in())
        self.pass_over()
        self.wait_for_switch()
        self.assertEqual(2, self.switched_in())
        self.assert_completes()

    def assert_completes(self):
        self.go_on()
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)


class TestIdle(SwitchPolicyTestCase):

    def test_never_switches(self):
        self.live_migrate(True)
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)
        self.assertIsNone(self.switched_in())
        self.assertNotIn(DEGRADED, self.events())


class TestBusy(SwitchPolicyTestCase):
    """A first pass pays, a second one does not."""

    # 128 MiB would fit the allowed downtime.
    WORKING_SET = 160 * base.MIB

    def setUp(self):
        super().setUp()
        self.make_busy()

    def test_after_one_pass(self):
        self.begin('auto')
        self.assert_switches_after_one_pass()

    def test_when_a_user_asks(self):
        self.begin('manual')
        progress = []
        for _pass in range(3):
            self.pass_over()
            self.wait_for_a_look()
            progress.append(self.in_progress()[0]['progress'])
        self.assertIsNone(self.switched_in())
        self.assertEqual(sorted(progress), progress)
        self.api.force_complete_migration(
            self.server['id'], self.migration['id'])
        self.wait_for_switch()
        self.assertEqual(4, self.switched_in())
        self.assert_completes()
        self.assertIn('Reason for the switch: a user forced the switch.',
                      self.event(DEGRADED)['details'])

    def test_aborted_when_no_user_asks_in_time(self):
        # Of 2 GiB, as upstream counts.
        self.flags(live_migration_completion_timeout=1, group='libvirt')
        self.begin('manual')
        self.pass_over()
        self.go_on()
        migration, _server = self.complete()
        self.assertEqual('cancelled', migration['status'])
        self.assert_on('src', migration)
        self.assertIsNone(self.switched_in())
        self.assertNotIn('fault', self.show())

    def test_switched_when_no_user_asks_in_time(self):
        self.flags(live_migration_completion_timeout=1,
                   live_migration_timeout_action='force_complete',
                   group='libvirt')
        self.begin('manual')
        self.assert_completes()
        self.assertIn('pre-copy timed out after 2 s',
                      self.event(DEGRADED)['details'])


class TestHotAllOver(SwitchPolicyTestCase):
    """The first pass would be wasted."""

    WORKING_SET = 480 * base.MIB

    def setUp(self):
        super().setUp()
        self.make_busy()

    def test_switches_in_its_first_pass(self):
        self.begin('auto')
        self.wait_for_a_look()
        # The first figure of the bandwidth is none.
        self.hosts.clock.skip(0.3)
        self.wait_for_switch()
        self.assertEqual(1, self.switched_in())
        self.assert_completes()
        (began, ended) = map(self.move().at, (guest.Happening.ITERATION,
                                              guest.Happening.COMPLETED))
        once = self.move().migration.guest.memory / self.BANDWIDTH
        self.assertLessEqual(ended - began, 1.25 * once)

    def test_first_pass_is_completed_if_an_operator_says_so(self):
        self.begin('first-pass')
        self.assert_switches_after_one_pass()


class TestDegraded(SwitchPolicyTestCase):

    WORKING_SET = TestBusy.WORKING_SET

    def setUp(self):
        super().setUp()
        self.make_busy()

    def test_event_lasts_from_the_switch_until_memory_is_complete(self):
        self.begin('auto')
        self.assertNotIn(DEGRADED, self.events())
        self.stop_at(guest.Happening.RESUMED)
        self.hosts.clock.go_on()
        self.wait_until_stopped()
        event = self.wait_for('event', lambda: self.events().get(DEGRADED))
        self.assertEqual((None, None),
                         (event['finish_time'], event['result']))
        self.assert_completes()

        event = self.event(DEGRADED)
        self.assertEqual('Success', event['result'])
        self.assertGreater(event['finish_time'], event['start_time'])
        told = re.fullmatch(
            r'The server was degraded for (?P<degraded>[\d.]+) s\. Reason for '
            r'the switch: .+\. Pages fetched on demand: (?P<pages>\d+)\. '
            r'Total (?P<total>[\d.]+) s, downtime (?P<downtime>\d+) ms, '
            r'(?P<moved>\d+) MiB moved\.', event['details'])
        migration = self.move().migration
        self.assertLessEqual(int(told['pages']), migration.missed)
        self.assertGreater(int(told['pages']), 0)
        self.assertLessEqual(int(told['moved']) * base.MIB, migration.sent)
        self.assertEqual(150, int(told['downtime']))

    def test_details_are_for_administrators(self):
        self.live_migrate(True)
        self.complete()
        self.assertIn('degraded for', self.event(DEGRADED)['details'])
        with self.microversion_is('2.83'):
            self.assertNotIn('details', self.event(DEGRADED))
        self.api, admin = self.api_fixture.api, self.api
        with self.microversion_is(admin.microversion):
            self.assertNotIn('details', self.event(DEGRADED))
