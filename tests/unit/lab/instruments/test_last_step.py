# SPDX-License-Identifier: Apache-2.0

import pathlib
import types

import fixtures
import testtools

from lab import errors
from lab.instruments import last_step

ACTIVE = {'status': 'ACTIVE', 'OS-EXT-STS:task_state': None}
MIGRATING = {'status': 'MIGRATING', 'OS-EXT-STS:task_state': 'migrating'}
ERROR = {'status': 'ERROR', 'OS-EXT-STS:task_state': None}
PASSING = ("Cannot 'os-migrateLive' instance uuid while it is in vm_state "
           'error (HTTP 409)')


class LeftTest(testtools.TestCase):

    def left(self, server, status, allocations=(), to_error=False):
        return last_step.left(server, {'status': status},
                              dict.fromkeys(allocations), to_error)

    def test_the_steps_after_an_abort_as_upstream_writes_them(self):
        for server, status in (
                (MIGRATING, 'running'), (ACTIVE, 'running'),
                (ACTIVE, 'cancelled'), (ACTIVE, 'failed'), (ACTIVE, 'error')):
            self.assertNotEqual('', self.left(server, status, to_error=True))
        self.assertEqual('', self.left(ERROR, 'error', to_error=True))

    def test_with_nova_post_copy_the_server_stays_active(self):
        for status in ('cancelled', 'error'):
            self.assertEqual('', self.left(ACTIVE, status))

    def test_the_steps_of_a_completed_migration(self):
        self.assertIn('running', self.left(ACTIVE, 'running (post-copy)'))
        self.assertIn('host-a', self.left(ACTIVE, 'completed', ['host-a']))
        for to_error in (False, True):
            self.assertEqual('', self.left(ACTIVE, 'completed',
                                           to_error=to_error))

    def test_a_task_that_goes_on(self):
        self.assertIn('migrating', self.left(MIGRATING, 'completed'))


class HostsTest(testtools.TestCase):

    def left(self, domains, disks):
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        for host in disks:
            (folder / host).mkdir()
        return last_step.left_on_hosts(types.SimpleNamespace(hosts={
            name: types.SimpleNamespace(
                name=name, domains=lambda name=name: domains.get(name, ()),
                disk=lambda server, name=name: folder / name)
            for name in ('host-a', 'host-b')}), 'uuid')

    def test_one_host_has_the_server(self):
        self.assertEqual('', self.left({'host-a': ['uuid']}, ['host-a']))

    def test_the_destination_has_not_removed_what_it_prepared(self):
        self.assertIn('host-a and host-b', self.left(
            {'host-a': ['uuid']}, ['host-a', 'host-b']))
        self.assertIn('host-a and host-b', self.left(
            {'host-a': ['uuid'], 'host-b': ['uuid']}, ['host-a']))

    def test_no_host_has_it(self):
        self.assertIn('no host', self.left({'host-a': ['other']}, []))


class AcceptedTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.sent = 0
        for name in ('REFUSED_LIMIT_S', '_REFUSED_INTERVAL_S'):
            self.useFixture(fixtures.MonkeyPatch(
                'lab.instruments.last_step.' + name, 0.05))

    def sender(self, *outcomes):
        left = list(outcomes)

        def send():
            self.sent += 1
            outcome = left[0] if len(left) == 1 else left.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        return send

    def test_it_is_repeated_while_the_state_passes(self):
        refused = errors.Refused(PASSING, 409)
        self.assertEqual('answer', last_step.accepted(
            self.sender(refused, 'answer')))
        self.assertEqual(2, self.sent)

    def test_the_state_does_not_pass(self):
        refused = errors.Refused(PASSING, 409)
        self.assertIs(refused, self.assertRaises(
            errors.Refused, last_step.accepted, self.sender(refused)))

    def test_other_refusals_are_not_repeated(self):
        for refused in (
                errors.Refused('No valid host (HTTP 409)', 409),
                errors.Refused(PASSING, 400), errors.LabError(PASSING)):
            self.sent = 0
            self.assertIs(refused, self.assertRaises(
                errors.LabError, last_step.accepted, self.sender(refused)))
            self.assertEqual(1, self.sent)

    def test_what_each_client_makes_of_a_409(self):
        for name in ('code', 'http_status'):
            refused = Exception(PASSING)
            setattr(refused, name, 409)
            self.assertTrue(last_step.is_passing(refused))
        self.assertTrue(last_step.is_passing(errors.failed(
            'nova live-migration busy', 'ERROR (Conflict): ' + PASSING)))
        self.assertFalse(last_step.is_passing(errors.failed(
            'nova live-migration busy', 'No such server')))


class UntilNothingTest(testtools.TestCase):

    def test_the_error_says_what_has_not_come(self):
        self.useFixture(fixtures.MonkeyPatch(
            'lab.instruments.last_step.LIMIT_S', 0))
        exc = self.assertRaises(
            errors.LabError, last_step.until_nothing,
            lambda: 'the migration is running', 'end')
        self.assertIn('no end within 0 s', str(exc))
        self.assertIn('the migration is running', str(exc))
