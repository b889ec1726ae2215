# SPDX-License-Identifier: Apache-2.0

import fixtures
from keystoneauth1 import exceptions as keystone_exceptions

from tests.unit.openstackclient_post_copy import base

COMMAND = ('server', 'migrate', '--live-migration', '--post-copy', '--wait',
           'busy')
OLD = dict(base.MIGRATION, id=6, status='error')
MIB = 1024 * 1024


class WaitTestCase(base.ClientTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch('time.sleep', lambda s: None))
        self.answer('GET', base.ACTIONS, {'instanceActions': [
            self._action('createImage', 'req-2'),
            self._action('live-migration', 'req-1')]})
        self.told_events([])
        self.server_migrations([])

    def _action(self, action: str, request_id: str, **more) -> dict:
        return dict({'action': action, 'request_id': request_id,
                     'instance_uuid': base.SERVER['id']}, **more)

    def told_events(self, events: list[dict]) -> None:
        self.answer('GET', base.ACTIONS + '/req-1', {
            'instanceAction': self._action('live-migration', 'req-1',
                                           events=events)})

    def told(self, *statuses: str | None) -> None:
        """Set what is told of the migration, each time that it is asked for.

        :param statuses: None: only an older migration is known
        """
        self.requests_mock.get(base.COMPUTE + '/os-migrations', [
            {'json': {'migrations': [
                dict(base.MIGRATION, status=status) if status else OLD]}}
            for status in (None, *statuses)])

    def server_migrations(self, migrations: list[dict]) -> None:
        self.answer('GET', base.SERVER_MIGRATIONS, {'migrations': migrations})

    def told_server(self, *servers: dict) -> None:
        self.requests_mock.get(
            base.COMPUTE + '/servers/' + base.SERVER['id'],
            [{'json': {'server': dict(base.SERVER, **server)}}
             for server in servers])


class MovedTestCase(WaitTestCase):

    def test_phases(self):
        self.told('completed')
        self.requests_mock.get(base.COMPUTE + base.SERVER_MIGRATIONS, [
            {'json': {'migrations': [dict(
                base.MIGRATION, phase=phase, progress=percent,
                memory_remaining_bytes=remaining * MIB)]}}
            for phase, percent, remaining in (
                ('preparing', 0, 0), ('pre-copy', 25, 150),
                ('pre-copy', 50, 100), ('post-copy', 95, 10))]
            + [{'json': {'migrations': []}}])

        result = self.openstack(*COMMAND)

        self.assertEqual((0, ''), (result.code, result.stderr))
        self.assertEqual([
            'busy, migration 7: preparing',
            'busy, migration 7: pre-copy, 25%, 150 MiB remaining',
            'busy, migration 7: pre-copy, 50%, 100 MiB remaining',
            'busy, migration 7: post-copy, 95%, 10 MiB remaining',
            'Complete. Server busy (%s) is ACTIVE on host-b'
            % base.SERVER['id']], result.stdout.splitlines())

    def test_request(self):
        self.told('completed')

        self.openstack(*COMMAND)

        request, = self.posted
        self.assert_posted(request, '2.105', host=None,
                           block_migration='auto', post_copy=True)

    def test_no_post_copy(self):
        self.told('completed')

        result = self.openstack(
            'server', 'migrate', '--live-migration', '--no-post-copy',
            '--wait', 'busy')

        self.assertEqual(0, result.code)
        self.assertFalse(self.posted[0].json()['os-migrateLive']['post_copy'])

    def test_asks_for_what_a_manager_may_see(self):
        self.told('running', 'completed')

        self.openstack(*COMMAND)

        for request in self.sent:
            if request.path.endswith('/os-migrations'):
                self.assertEqual([base.PROJECT], request.qs['project_id'])

    def test_recorded_late(self):
        """The conductor records the migration; the API answers before."""
        migrating = {'OS-EXT-STS:task_state': 'migrating'}
        self.told_server({}, migrating, migrating, {})
        self.told(None, None, 'running', 'completed')

        result = self.openstack(*COMMAND)

        self.assertEqual(0, result.code)
        self.assertIn('running', result.stdout)

    def test_bytes_are_not_for_everybody(self):
        self.answer('GET', base.SERVER_MIGRATIONS, status=403)
        self.told('running', 'running', 'completed')

        result = self.openstack(*COMMAND)

        self.assertEqual(0, result.code)
        self.assertEqual('busy, migration 7: running',
                         result.stdout.splitlines()[0])

    def test_cloud_does_not_answer_meanwhile(self):
        self.requests_mock.get(base.COMPUTE + '/os-migrations', [
            {'json': {'migrations': []}}, {'status_code': 503},
            {'exc': keystone_exceptions.ConnectFailure},
            {'json': {'migrations': [
                dict(base.MIGRATION, status='completed')]}}])

        result = self.openstack(*COMMAND)

        self.assertEqual(0, result.code)
        self.assertIn('no answer from the cloud', result.stdout)

    def test_host_is_not_for_everybody(self):
        self.told('completed')
        self.told_server({'OS-EXT-SRV-ATTR:host': None})

        result = self.openstack(*COMMAND)

        self.assertTrue(result.stdout.endswith(' is ACTIVE\n'))


class NotMovedTestCase(WaitTestCase):

    def assert_failed(self, *texts: str) -> None:
        result = self.openstack(*COMMAND)
        self.assertEqual(1, result.code)
        self.assertEqual(1, result.stderr.count('\n'))
        for text in texts:
            self.assertIn(text, result.stderr)
        self.assertNotIn('Complete', result.stdout)

    def test_each_status(self):
        for status in ('error', 'failed', 'cancelled'):
            self.told('running', status)
            self.assert_failed(
                'Migration 7 ended with status %s. Server busy' % status,
                'is ACTIVE on host-b')

    def test_reasons(self):
        event = {'event': 'compute_live_migration', 'result': 'Error',
                 'details': 'The disk is full.'}
        self.told_events([
            event, dict(event, result='Success', details=''),
            dict(event, details='No host.'), dict(event, details=None), event])
        self.told('error')

        self.assert_failed('Reason: The disk is full.; No host.\n')

    def test_fault(self):
        self.told_server({'status': 'ERROR', 'fault': {'message': 'Lost.'}})
        self.told('error')

        self.assert_failed('is ERROR on host-b. Reason: Lost.\n')

    def test_reason_is_not_for_everybody(self):
        self.answer('GET', base.ACTIONS + '/req-1', {
            'instanceAction': self._action('live-migration', 'req-1')})
        self.told('error')

        self.assert_failed('openstack server event show %s req-1'
                           % base.SERVER['id'])

    def test_waits_for_the_roll_back(self):
        self.told('error')
        self.told_server({}, {'status': 'MIGRATING',
                              'OS-EXT-STS:task_state': 'migrating'}, {})

        self.assert_failed('is ACTIVE')

    def test_never_began(self):
        self.told(None)

        self.assert_failed('The migration did not start. Server busy')

    def test_server_deleted(self):
        self.told('running', None)
        self.requests_mock.get(
            base.COMPUTE + '/servers/' + base.SERVER['id'],
            [{'json': {'server': base.SERVER}}, {'status_code': 404}])

        self.assert_failed('the result is unknown')

    def test_cloud_stays_away(self):
        self.useFixture(fixtures.MonkeyPatch(
            'client_post_copy.watch.PATIENCE_S', 0))
        self.requests_mock.get(base.COMPUTE + '/os-migrations', [
            {'json': {'migrations': []}}, {'status_code': 503}])

        self.assert_failed(
            'the result is unknown',
            'The migration continues without this command',
            'openstack server migration list --server ' + base.SERVER['id'])

    def test_may_not_see_migrations(self):
        self.answer('GET', '/os-migrations', status=403)

        self.assert_failed('os_compute_api:os-migrations:index',
                           'No migration was requested.')

        self.assertEqual([], self.posted)

    def test_cloud_does_not_answer_before(self):
        self.answer('GET', '/os-migrations', status=503)

        self.assert_failed('No migration was requested.')

        self.assertEqual([], self.posted)

    def test_refused(self):
        self.told()
        self.answer('POST', base.ACTION, status=409, body={
            'conflictingRequest': {'code': 409, 'message': 'vGPU'}})

        self.assert_failed('vGPU')
