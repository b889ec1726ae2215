# SPDX-License-Identifier: Apache-2.0

import fixtures
from nova.compute import vm_states
from nova import objects

from tests.unit.nova_post_copy.api import base

MANAGER = ['manager', 'member', 'reader']


class TestLiveMigrate(base.ApiTestCase):

    def _live_migrate(self, version=base.VERSION, roles=None, legacy=False,
                      **body):
        body = {'os-migrateLive': {
            'host': None, 'block_migration': 'auto', **body}}
        return self.rest(
            'POST', '/servers/%s/action' % self.instance.uuid, body, version,
            roles, legacy)

    def _error(self, *args, **kwargs):
        """Return the status and the message of a refusal."""
        status, body = self._live_migrate(*args, **kwargs)
        (error,) = body.values()
        return status, error['message']

    def _sent_to_us(self, **body):
        conductor = self.serve_conductor()
        self.assertEqual((202, ''), self._live_migrate(**body))
        self.assertEqual([], self.upstream_conductor.requests)
        (request,) = conductor.requests
        self.assertEqual(self.instance.uuid, request['instance'].uuid)
        self.instance.refresh()
        self.assertEqual('migrating', self.instance.task_state)
        return request

    def _sent_upstream(self, **kwargs):
        self.assertEqual((202, ''), self._live_migrate(**kwargs))
        (request,) = self.upstream_conductor.requests
        return request

    def test_true(self):
        self.serve_compute('host-a')
        request = self._sent_to_us(post_copy=True)
        self.assertIs(True, request['post_copy'])
        self.assertEqual({'host': None}, request['scheduler_hint'])
        self.assertIsNone(request['block_migration'])

    def test_false(self):
        self.serve_compute('host-a')
        # Whether the source understands is asked, and nothing else.
        request = self._sent_to_us(post_copy=False)
        self.assertIs(False, request['post_copy'])

    def test_absent(self):
        conductor = self.serve_conductor()
        request = self._sent_upstream()
        self.assertEqual([], conductor.requests)
        self.assertEqual(
            {'instance', 'scheduler_hint', 'block_migration',
             'disk_over_commit', 'request_spec'}, set(request))

    def test_absent_needs_no_conductor_of_ours(self):
        self._sent_upstream()

    def test_absent_below(self):
        self._sent_upstream(version=base.BELOW)

    def test_named_destination(self):
        self.serve_compute('host-a')
        self.serve_compute('host-b')
        request = self._sent_to_us(post_copy=True, host='host-b')
        # As upstream: the scheduler is asked about this one host.
        self.assertEqual({'host': None}, request['scheduler_hint'])
        self.assertEqual(
            'host-b', request['request_spec'].requested_destination.host)

    def test_paused(self):
        self.instance.vm_state = vm_states.PAUSED
        self.instance.save()
        self.assertIs(True, self._sent_to_us(post_copy=True)['post_copy'])

    def test_not_a_json_boolean(self):
        for value in ('true', 'True', 1, 0, None, [], 'auto'):
            status, message = self._error(post_copy=value)
            self.assertEqual(400, status)
            self.assertIn('post_copy', message)
        self.assert_unchanged()

    def test_below_as_any_unknown_key(self):
        for version in ('2.1', '2.25', '2.30', '2.68', base.BELOW):
            _status, unknown = self._error(version=version, unknown=True)
            status, message = self._error(version=version, post_copy=True)
            self.assertEqual(400, status)
            self.assertEqual(unknown.replace('unknown', 'post_copy'), message)
        self.assert_unchanged()

    def test_unknown_key(self):
        self.assertEqual(
            self._error(version=base.BELOW, unknown=True),
            self._error(unknown=True))

    def test_legacy_v2(self):
        # Which always ignored keys that it did not know.
        conductor = self.serve_conductor()
        self._sent_upstream(version='2.1', legacy=True, post_copy=True,
                            block_migration=False, disk_over_commit=False)
        self.assertEqual([], conductor.requests)

    def test_no_such_server(self):
        status, body = self.rest(
            'POST', '/servers/nowhere/action',
            {'os-migrateLive': {'host': None, 'block_migration': 'auto',
                                'post_copy': True}})
        self.assertEqual(404, status)
        self.assertIn('nowhere', body['itemNotFound']['message'])

    def _refused(self, expected, *texts, **kwargs):
        status, message = self._error(**kwargs)
        self.assertEqual(expected, status)
        for text in texts:
            self.assertIn(text, message)
        self.assert_unchanged()
        return message

    def test_no_such_destination(self):
        self.serve_conductor()
        self.serve_compute('host-a')
        self._refused(400, 'host-z', post_copy=True, host='host-z')

    def test_policy(self):
        for post_copy in (True, False):
            self._refused(403, 'migrate_live:post_copy', roles=['member'],
                          post_copy=post_copy)

    def test_policy_of_our_own(self):
        self.policy.set_rules({
            'os_compute_api:os-migrate-server:migrate_live:post_copy': '!'},
            overwrite=False)
        self._refused(403, post_copy=True)
        self._sent_upstream()

    def test_policy_of_a_project_manager(self):
        conductor = self.serve_conductor()
        self.serve_compute('host-a')
        self.assertEqual(
            (202, ''), self._live_migrate(roles=MANAGER, post_copy=True))
        self.assertEqual(1, len(conductor.requests))

    def test_policies_of_upstream_come_before_conductors(self):
        self.policy.set_rules({
            'os_compute_api:os-migrate-server:migrate_live:host': '!'},
            overwrite=False)
        self._refused(403, 'migrate_live:host', roles=MANAGER,
                      post_copy=True, host='host-b')

    def test_no_conductor_of_ours(self):
        self.flags(conductor_timeout=1, group='post_copy')
        for post_copy in (True, False):
            self._refused(503, 'nova-conductor', post_copy=post_copy)

    def test_stopped(self):
        self.instance.vm_state = vm_states.STOPPED
        self.instance.save()
        self._refused(409, 'vm_state stopped', post_copy=True)

    def test_locked(self):
        self.instance.locked = True
        self.instance.save()
        self._refused(409, 'is locked', roles=MANAGER, post_copy=True)

    def test_another_is_not_over(self):
        # After a reset: the task state does not say so any more.
        self.serve_compute('host-a')
        for asked in ({}, {'post_copy': False}):
            for status, advice in (
                    ('accepted', 'in a moment'), ('queued', 'Abort it'),
                    ('preparing', 'Abort it'), ('running', 'Abort it'),
                    ('running (post-copy)', 'no longer be aborted'),
                    ('post-migrating', 'wait for its end')):
                other = self.create_migration(status, **asked)
                for post_copy in (True, False):
                    message = self._refused(
                        409, 'live migration %d has not finished (status '
                        '"%s")' % (other.id, status), advice,
                        'leave out post_copy', post_copy=post_copy)
                    self.assertNotIn('host-', message)
                other.status = 'error'
                other.save()
        self._sent_to_us(post_copy=True)

    def test_another_of_another_host(self):
        self.serve_compute('host-a')
        other = self.create_migration('running')
        other.source_compute = 'host-b'
        other.save()
        self._sent_to_us(post_copy=True)

    def test_another_and_no_post_copy_is_upstreams(self):
        self.create_migration('running')
        self._sent_upstream()

    def test_source_refuses(self):
        self.serve_conductor()
        self.serve_compute('host-a').as_source = ['too old', 'not allowed']
        message = self._refused(409, 'too old; not allowed', post_copy=True)
        # The caller may not be allowed to know it.
        self.assertNotIn('host-a', message)

    def test_source_without_us(self):
        self.serve_conductor()
        self.serve_compute('host-a', base.UnextendedCompute())
        for post_copy in (True, False):
            self._refused(409, 'nova-post-copy', post_copy=post_copy)

    def test_source_down(self):
        self.serve_conductor()
        service = objects.Service.get_by_compute_host(
            self.cell_context, 'host-a')
        service.forced_down = True
        service.save()
        self._refused(409, 'is down', post_copy=True)

    def test_source_does_not_answer(self):
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.compute.rpcapi.REFUSALS_TIMEOUT_S', 1))
        self.serve_conductor()
        self._refused(409, 'does not answer', post_copy=True)

    def test_source_fails_to_answer(self):
        self.serve_conductor()
        self.serve_compute('host-a', base.ComputeWithoutLibvirt())
        self._refused(409, 'to the hypervisor is broken', post_copy=True)

    def test_destination_refuses(self):
        self.serve_conductor()
        self.serve_compute('host-a')
        self.serve_compute('host-b').as_destination = ['no userfaultfd']
        self._refused(409, 'host-b', 'no userfaultfd', post_copy=True,
                      host='host-b')
