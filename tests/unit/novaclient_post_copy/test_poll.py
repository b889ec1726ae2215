# SPDX-License-Identifier: Apache-2.0

import fixtures
from keystoneauth1 import exceptions as keystone_exceptions
from novaclient import exceptions

from client_post_copy import watch
from tests.unit.novaclient_post_copy import base

SERVER = base.SERVER['id']
ACTIONS = base.COMPUTE + '/servers/%s/os-instance-actions' % SERVER
SERVERS = (base.SERVER, base.SECOND_SERVER)
MIB = 1024 * 1024
IDLE = {'status': 'ACTIVE', 'OS-EXT-STS:task_state': None,
        'OS-EXT-SRV-ATTR:host': 'host-b'}


class PollTestCase(base.ClientTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch('time.sleep', lambda s: None))
        for server in SERVERS:
            self.requests_mock.get(
                base.COMPUTE + '/servers/' + server['id'],
                json={'server': server | IDLE})
            self.requests_mock.get(
                base.COMPUTE + '/servers/%s/os-instance-actions'
                % server['id'], json={'instanceActions': [
                    {'action': 'create', 'request_id': 'req-2'},
                    {'action': 'live-migration', 'request_id': 'req-1'}]})
            self.told_events([], server)
            self.told(server, 'completed')

    def told(self, server, *statuses, **phases):
        """Set what is told of the migration, each time that it is asked for.

        :param statuses: of ``GET /os-migrations``, after that it has none
        :param phases: ``in_progress``, of ``GET /servers/{id}/migrations``
        """
        self.requests_mock.get(
            base.COMPUTE + '/os-migrations?instance_uuid=' + server['id'],
            [{'json': {'migrations': []}}] + [
                {'json': {'migrations': [
                    base.MIGRATION | {'status': status, 'phase': None}]}}
                for status in statuses])
        self.requests_mock.get(
            base.COMPUTE + '/servers/%s/migrations' % server['id'],
            [{'json': {'migrations': [base.MIGRATION | each]}}
             for each in phases.get('in_progress', ())]
            + [{'json': {'migrations': []}}])

    def told_events(self, events, server=base.SERVER):
        self.requests_mock.get(
            base.COMPUTE + '/servers/%s/os-instance-actions/req-1'
            % server['id'], json={'instanceAction': {
                'action': 'live-migration', 'request_id': 'req-1',
                'events': events}})

    def printed(self, *argv) -> list[str]:
        return self.nova(*argv).splitlines()

    def assert_fails(self, *argv) -> str:
        error = self.assertRaises(exceptions.CommandError, self.nova, *argv)
        self.assertNotIn('\n', str(error))
        return str(error)


class LiveMigrationTestCase(PollTestCase):

    def test_progress(self):
        self.told(base.SERVER, 'completed', in_progress=[
            {'status': 'running', 'phase': 'pre-copy', 'progress': 20,
             'memory_remaining_bytes': 80 * MIB},
            {'status': 'running (post-copy)', 'phase': 'post-copy',
             'progress': 60, 'memory_remaining_bytes': 40 * MIB}])

        self.assertEqual([
            'busy, migration 7: pre-copy, 20%, 80 MiB remaining',
            'busy, migration 7: post-copy, 60%, 40 MiB remaining',
            'Complete. Server busy (%s) is ACTIVE on host-b' % SERVER,
        ], self.printed('live-migration', '--post-copy', '--poll', SERVER))
        request, = self.posted
        self.assertSent(
            request, 'POST', '/servers/%s/action' % SERVER, '2.105',
            base.live_migrate_body(host=None, block_migration='auto',
                                   post_copy=True))

    def test_figures(self):
        self.told_events([
            {'event': 'compute_live_migration_post_copy_degraded',
             'result': 'Success', 'details': 'It was degraded for 1.82 s.'}])
        self.assertIn('on host-b. It was degraded for 1.82 s.\n',
                      self.nova('live-migration', '--post-copy', '--poll',
                                SERVER))

    def test_without_post_copy(self):
        self.assertEqual(
            'Complete.', self.nova('live-migration', '--poll', SERVER)[:9])
        request, = self.posted
        self.assertSent(
            request, 'POST', '/servers/%s/action' % SERVER, '2.96',
            base.live_migrate_body(host=None, block_migration='auto'))

    def test_asks_for_what_a_manager_may_see(self):
        self.told(base.SERVER, 'accepted', 'completed')
        self.nova('live-migration', '--poll', SERVER)
        asked = [request for request in self.sent
                 if request.path.endswith('/os-migrations')]
        for request in asked:
            self.assertEqual(['live-migration'], request.qs['migration_type'])
            self.assertEqual(['1'], request.qs['limit'])
            self.assertTrue(request.qs['project_id'][0])
            self.assertEqual('compute 2.105',
                             request.headers['OpenStack-API-Version'])

    def test_not_moved(self):
        self.told(base.SERVER, 'error')
        self.told_events([{'event': 'compute_live_migration',
                           'result': 'Error', 'details': 'No host.'}])
        self.assertEqual(
            'Migration 7 ended with status error. Server busy (%s) is ACTIVE '
            'on host-b. Reason: No host.' % SERVER,
            self.assert_fails('live-migration', '--post-copy', '--poll',
                              SERVER))

    def test_details_are_not_for_everybody(self):
        self.told(base.SERVER, 'error')
        self.told_events([{'event': 'compute_live_migration',
                           'result': 'Error'}])
        self.assertIn(
            'shown to administrators by "nova instance-action %s req-1"'
            % SERVER, self.assert_fails('live-migration', '--poll', SERVER))

    def test_events_are_not_for_everybody(self):
        self.told(base.SERVER, 'error')
        self.requests_mock.get(ACTIONS + '/req-1', json={'instanceAction': {
            'action': 'live-migration', 'request_id': 'req-1'}})
        self.assertIn(
            'nova instance-action',
            self.assert_fails('live-migration', '--poll', SERVER))

    def test_may_not_see_migrations(self):
        self.requests_mock.get(base.COMPUTE + '/os-migrations',
                               status_code=403)
        text = self.assert_fails('live-migration', '--post-copy', '--poll',
                                 SERVER)
        self.assertIn('os_compute_api:os-migrations:index', text)
        self.assertIn('No migration was requested.', text)
        self.assertEqual([], self.posted)

    def test_cloud_does_not_answer_before(self):
        for answer in ({'status_code': 503}, {'status_code': 500},
                       {'exc': keystone_exceptions.ConnectTimeout}):
            self.requests_mock.get(base.COMPUTE + '/os-migrations', **answer)
            self.assertIn(
                'No migration was requested.',
                self.assert_fails('live-migration', '--poll', SERVER))
        self.assertEqual([], self.posted)

    def test_cloud_does_not_answer_meanwhile(self):
        self.requests_mock.get(base.COMPUTE + '/os-migrations', [
            {'json': {'migrations': []}}, {'status_code': 503},
            {'exc': keystone_exceptions.ConnectFailure},
            {'status_code': 429},
            {'json': {'migrations': [
                base.MIGRATION | {'status': 'completed'}]}}])
        self.assertEqual([
            'busy: no answer from the cloud, retrying',
            'Complete. Server busy (%s) is ACTIVE on host-b' % SERVER,
        ], self.printed('live-migration', '--post-copy', '--poll', SERVER))

    def test_cloud_stays_away(self):
        self.useFixture(fixtures.MonkeyPatch(
            'client_post_copy.watch.PATIENCE_S', 0))
        self.requests_mock.get(base.COMPUTE + '/os-migrations', [
            {'json': {'migrations': []}}, {'status_code': 503}])
        text = self.assert_fails('live-migration', '--poll', SERVER)
        self.assertIn('the result is unknown', text)
        self.assertIn('nova migration-list --instance-uuid ' + SERVER, text)

    def test_server_deleted(self):
        self.told(base.SERVER)
        self.requests_mock.get(base.COMPUTE + '/servers/' + SERVER, [
            {'json': {'server': base.SERVER | IDLE}}, {'status_code': 404}])
        self.assertIn(
            'the result is unknown',
            self.assert_fails('live-migration', '--poll', SERVER))

    def test_refused(self):
        self.requests_mock.post(
            base.COMPUTE + '/servers/%s/action' % SERVER, status_code=409,
            json={'conflictingRequest': {'code': 409, 'message': 'vGPU'}})
        error = self.assertRaises(
            exceptions.Conflict, self.nova, 'live-migration', '--post-copy',
            '--poll', SERVER)
        self.assertIn('vGPU', str(error))

    def test_explicit_version_is_refused(self):
        text = self.assert_fails('--os-compute-api-version', '2.96',
                                 'live-migration', '--poll', SERVER)
        self.assertIn('Watching a live migration needs', text)
        self.assertIn("version '2.96' is selected", text)
        self.assertEqual([], self.sent)


class UnextendedCloudTestCase(PollTestCase):
    cloud_version = '2.104'

    def test_refused(self):
        error = self.assertRaises(
            exceptions.UnsupportedVersion, self.nova, 'live-migration',
            '--poll', SERVER)
        self.assertIn('Watching a live migration needs', str(error))
        self.assertEqual([], self.posted)


class HostEvacuateLiveTestCase(PollTestCase):

    def evacuate(self, *options) -> list[str]:
        """Return what is printed below the table."""
        lines = self.printed('host-evacuate-live', *options, 'host-a')
        table = [line for line in lines if line[:1] in '+|']
        self.assertEqual(table, lines[:len(table)])
        return lines[len(table):]

    def test_each_server(self):
        self.told(base.SERVER, 'completed', in_progress=[
            {'status': 'running', 'phase': 'pre-copy', 'progress': 20,
             'memory_remaining_bytes': 80 * MIB}])

        lines = self.evacuate('--post-copy', '--poll')

        self.assertEqual([
            'busy, migration 7: pre-copy, 20%, 80 MiB remaining',
            'Complete. Server calm (%s) is ACTIVE on host-b'
            % base.SECOND_SERVER['id'],
            'Complete. Server busy (%s) is ACTIVE on host-b' % SERVER,
            '2 of 2 servers moved.'], lines)
        self.assertEqual([True] * 2, [
            request.json()['os-migrateLive']['post_copy']
            for request in self.posted])

    def test_one_not_moved(self):
        self.told(base.SERVER, 'failed')
        self.assertEqual(
            '1 of 2 servers moved. Not moved, or result unknown: busy (%s)'
            % SERVER,
            self.assert_fails('host-evacuate-live', '--poll', 'host-a'))

    def test_one_refused(self):
        self.requests_mock.post(
            base.COMPUTE + '/servers/%s/action' % SERVER, status_code=409,
            json={'conflictingRequest': {'code': 409, 'message': 'vGPU'}})
        self.assertEqual(
            '1 of 2 servers moved. Not moved, or result unknown: ' + SERVER,
            self.assert_fails('host-evacuate-live', '--poll', 'host-a'))

    def test_may_not_see_migrations(self):
        self.requests_mock.get(base.COMPUTE + '/os-migrations',
                               status_code=403)
        self.assertIn('0 of 2 servers moved.', self.assert_fails(
            'host-evacuate-live', '--poll', 'host-a'))
        self.assertEqual([], self.posted)

    def test_only_some(self):
        self.assertEqual('1 of 1 servers moved.', self.evacuate(
            '--poll', '--max-servers', '1')[-1])

    def test_interrupted_by_the_user(self):
        self.useFixture(fixtures.MonkeyPatch(
            'client_post_copy.watch.time.sleep', self._interrupt))
        self.told(base.SERVER, in_progress=[{'phase': 'pre-copy'}])
        self.assertRaises(KeyboardInterrupt, self.nova, 'host-evacuate-live',
                          '--poll', 'host-a')
        # They have been requested all the same.
        self.assertEqual(2, len(self.posted))

    def _interrupt(self, seconds):
        self.assertGreaterEqual(seconds, watch.INTERVAL_S)
        raise KeyboardInterrupt
