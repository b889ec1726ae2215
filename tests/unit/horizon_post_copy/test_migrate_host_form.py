# SPDX-License-Identifier: Apache-2.0

import itertools
from unittest import mock

from django.urls import reverse
from openstack_dashboard.dashboards.admin.hypervisors.compute import forms \
    as upstream
from openstack_dashboard.dashboards.admin.hypervisors.compute import views

from tests.horizon import cloud
from tests.unit.horizon_post_copy import base

HOST = 'host-a'
INDEX = reverse('horizon:admin:hypervisors:index')

RUNNING = {'id': '11111111-1111-4111-8111-111111111111', 'name': 'busy',
           'status': 'ACTIVE'}
PAUSED = {'id': '22222222-2222-4222-8222-222222222222', 'name': 'calm',
          'status': 'PAUSED'}
STOPPED = {'id': '33333333-3333-4333-8333-333333333333', 'name': 'idle',
           'status': 'SHUTOFF'}
SERVERS = (RUNNING, PAUSED, STOPPED)


class TestMigrateHostForm(base.PostCopyTestCase):

    def setUp(self):
        super().setUp()
        self.url = reverse('horizon:admin:hypervisors:compute:migrate_host',
                           args=[HOST])
        self.cloud.get(cloud.COMPUTE + '/servers/detail', json=self._list)
        # What upstream asks in its place.
        self.cloud.get(
            '%s/os-hypervisors/%s/servers' % (cloud.COMPUTE, HOST),
            json={'hypervisors': [{
                'id': 1, 'hypervisor_hostname': HOST, 'servers': [
                    {'uuid': server['id'], 'name': server['name']}
                    for server in SERVERS]}]})
        for server in SERVERS:
            self.cloud.get('%s/servers/%s' % (cloud.COMPUTE, server['id']),
                           json={'server': server})

    def _list(self, request, context) -> dict:
        """Answer as Nova: page by page, servers of this host only."""
        self.assertEqual((['host-a'], ['true']),
                         (request.qs['host'], request.qs['all_tenants']))
        if 'marker' not in request.qs:
            return {'servers': SERVERS[:2]}
        if request.qs['marker'] == [PAUSED['id']]:
            return {'servers': SERVERS[2:]}
        return {'servers': []}

    def submit(self, **entered):
        return self.client.post(self.url, {
            'current_host': HOST, 'migrate_type': 'live_migrate'} | entered)

    def test_ticked(self):
        response = self.submit(post_copy='on', block_migration='on')

        self.assertRedirectsNoFollow(response, INDEX)
        body = {'os-migrateLive': {'host': None, 'block_migration': True,
                                   'post_copy': True}}
        self.assertEqual([(RUNNING['id'], 'compute 2.105', body),
                          (PAUSED['id'], 'compute 2.105', body),
                          (STOPPED['id'], None, {'migrate': None})],
                         self.posted)
        self.assertEqual([('success', 'Starting to migrate host: host-a')],
                         self.told(response))

    def test_unticked_is_upstreams_to_the_byte(self):
        for version, kind, boxes in itertools.product(
                ('2.104', '2.105'), ('live_migrate', 'cold_migrate'),
                ({}, {'block_migration': 'on'}, {'disk_over_commit': 'on'})):
            self._compare(version, {'migrate_type': kind} | boxes)

    def test_cold_is_upstreams_to_the_byte(self):
        # The checkbox is out of sight then, and may be ticked.
        self._compare('2.105', {
            'migrate_type': 'cold_migrate', 'disk_over_commit': 'on',
            'post_copy': 'on'})

    def _compare(self, version: str, entered: dict) -> None:
        self.cloud_version = version
        told = self.told(self.submit(**entered))
        self.assertEqual(3, len(self.posted))
        sent = self.forget_what_was_sent()
        with mock.patch.object(views.MigrateHostView, 'form_class',
                               upstream.MigrateHostForm):
            self.assertEqual(self.told(self.submit(**entered)), told)
        # All that is added is to ask first for the versions of the cloud.
        self.assertEqual(self.forget_what_was_sent(), sent[1:])

    def test_no_disk_over_commit(self):
        response = self.submit(post_copy='on', disk_over_commit='on')

        (error,), = response.context['form'].errors.values()
        self.assertIn('removed disk over commit, and post-copy needs '
                      'version 2.105.', error)
        self.assertEqual([], self.posted)

    def test_one_is_refused(self):
        self.cloud.post(
            '%s/servers/%s/action' % (cloud.COMPUTE, RUNNING['id']),
            status_code=409,
            json={'error': {'code': 409, 'message': 'It is migrating'}})
        response = self.submit(post_copy='on')

        self.assertRedirectsNoFollow(response, INDEX)
        self.assertEqual([server['id'] for server in SERVERS],
                         [server for server, _, _ in self.posted])
        self.assertEqual([(
            'error', 'Nova refused to migrate these instances, which stay on '
            'host "host-a": busy (%s): It is migrating (HTTP 409). The '
            'migration of all others was requested.' % RUNNING['id'])],
            self.told(response))

    def test_list_is_refused(self):
        self.cloud.get(
            cloud.COMPUTE + '/servers/detail', status_code=403,
            json={'error': {'code': 403, 'message': 'Not you'}})
        response = self.submit(post_copy='on')

        self.assertRedirectsNoFollow(response, INDEX)
        self.assertEqual([('error', 'Failed to migrate host "host-a". '
                                    'Not you (HTTP 403)')],
                         self.told(response))
        self.assertEqual([], self.posted)

    def test_checkbox_is_for_live_migration_only(self):
        checkbox = self.checkbox(self.url)

        self.assertIn('class="switched"', checkbox)
        self.assertIn('data-switch-on="source"', checkbox)
        self.assertIn('data-source-live_migrate="Post-copy"', checkbox)
        self.assertIn('for="id_post_copy"', checkbox)

    def test_older_cloud(self):
        self.cloud_version = '2.104'
        self.assertIsNone(self.checkbox(self.url))
