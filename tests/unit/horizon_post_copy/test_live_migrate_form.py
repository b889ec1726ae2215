# SPDX-License-Identifier: Apache-2.0

import itertools
import pathlib
import tempfile
from unittest import mock

from babel.messages import catalog
from babel.messages import mofile
from django.urls import reverse
from openstack_dashboard import api
from openstack_dashboard.dashboards.admin.instances import forms as upstream
from openstack_dashboard.dashboards.admin.instances import views

from tests.horizon import cloud
from tests.unit.horizon_post_copy import base

INDEX = reverse('horizon:admin:instances:index')


class LiveMigrateFormTestCase(base.PostCopyTestCase):

    def setUp(self):
        super().setUp()
        self.server = self.servers.first()
        hosts = [service for service in self.services.list()
                 if service.binary == 'nova-compute']
        self.host = hosts[0].host
        for name, value in (('server_get', self.server),
                            ('service_list', hosts)):
            patcher = mock.patch.object(api.nova, name, return_value=value)
            patcher.start()
            self.addCleanup(patcher.stop)
        self.url = reverse('horizon:admin:instances:live_migrate',
                           args=[self.server.id])

    def submit(self, **entered):
        return self.client.post(self.url, {
            'instance_id': self.server.id, 'host': self.host} | entered)


class TestLiveMigrateForm(LiveMigrateFormTestCase):

    def test_ticked(self):
        response = self.submit(post_copy='on')

        self.assertRedirectsNoFollow(response, INDEX)
        self.assertEqual([(self.server.id, 'compute 2.105', {
            'os-migrateLive': {'host': self.host, 'block_migration': False,
                               'post_copy': True}})], self.posted)
        self.assertEqual([('info', 'The instance is preparing the live '
                                   'migration to a new host.')],
                         self.told(response))

    def test_ticked_with_block_migration_to_any_host(self):
        self.submit(post_copy='on', block_migration='on',
                    host='AUTO_SCHEDULE')

        self.assertEqual([(self.server.id, 'compute 2.105', {
            'os-migrateLive': {'host': None, 'block_migration': True,
                               'post_copy': True}})], self.posted)

    def test_unticked_is_upstreams_to_the_byte(self):
        for version, host, boxes in itertools.product(
                ('2.29', '2.104', '2.105', '2.200'),
                (self.host, 'AUTO_SCHEDULE'),
                ({}, {'block_migration': 'on'}, {'disk_over_commit': 'on'},
                 {'block_migration': 'on', 'disk_over_commit': 'on'})):
            self.cloud_version = version
            entered = {'host': host} | boxes
            told = self.told(self.submit(**entered))
            self.assertEqual(1, len(self.posted))
            sent = self.forget_what_was_sent()
            with mock.patch.object(views.LiveMigrateView, 'form_class',
                                   upstream.LiveMigrateForm):
                self.assertEqual(self.told(self.submit(**entered)), told)
                # All that is added is to ask for the versions of the cloud.
                self.assertEqual(
                    self.forget_what_was_sent(),
                    [request for number, request in enumerate(sent)
                     if number or request[0] != 'GET'])

    def test_ticked_where_it_is_not_offered(self):
        self.cloud_version = '2.104'
        self.submit(post_copy='on')

        self.assertEqual(
            [(self.server.id, 'compute 2.30', {'os-migrateLive': {
                'host': self.host, 'block_migration': False}})], self.posted)

    def test_no_disk_over_commit(self):
        response = self.submit(post_copy='on', disk_over_commit='on')

        (error,), = response.context['form'].errors.values()
        self.assertIn('removed disk over commit, and post-copy needs '
                      'version 2.105.', error)
        self.assertEqual([], self.posted)

    def test_refused(self):
        for status, reason in (
                (400, 'Live migration by post-copy to %s.' % self.host),
                (403, 'Policy does not allow it'),
                (404, 'Instance could not be found'),
                (409, 'Instance is migrating'),
                (503, 'No conductor with nova-post-copy answers')):
            self.answer = (status, reason)
            response = self.submit(post_copy='on')

            self.assertRedirectsNoFollow(response, INDEX)
            (level, text), = self.told(response)
            self.assertEqual('error', level)
            self.assertIn('Failed to live migrate instance to host "%s". %s '
                          '(HTTP %d)' % (self.host, reason, status), text)

    def test_refused_to_any_host(self):
        self.answer = (409, 'Instance is migrating')
        response = self.submit(post_copy='on', host='AUTO_SCHEDULE')

        self.assertEqual(
            [('error', 'Failed to live migrate instance to a new host. '
                       'Instance is migrating (HTTP 409)')],
            self.told(response))

    def test_cloud_loses_the_microversion(self):
        answers = iter(['2.105', '2.104'])
        self.cloud.get(cloud.COMPUTE, json=lambda request, context: (
            cloud.versions(next(answers))))
        response = self.submit(post_copy='on')

        (level, text), = self.told(response)
        self.assertEqual('error', level)
        self.assertIn('No migration was requested', text)
        self.assertEqual([], self.posted)


class TestCheckbox(LiveMigrateFormTestCase):

    def test_labelled(self):
        checkbox = self.checkbox(self.url)

        self.assertInHTML('<span class="control-label">Post-copy</span>',
                          checkbox)
        self.assertIn('for="id_post_copy"', checkbox)
        self.assertIn('title="Allow the live migration to switch', checkbox)
        self.assertNotIn(' checked', checkbox)

    def test_translated(self):
        german = catalog.Catalog(locale='de')
        german.add('Post-copy', 'Nachkopieren')
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory, 'de', 'LC_MESSAGES', 'django.mo')
            path.parent.mkdir(parents=True)
            with path.open('wb') as stream:
                mofile.write_mo(stream, german)
            with self.settings(LOCALE_PATHS=[directory]):
                self.client.defaults['HTTP_ACCEPT_LANGUAGE'] = 'de'
                self.assertIn('Nachkopieren', self.checkbox(self.url))

    def test_older_cloud(self):
        for self.cloud_version in ('2.104', '2.96', ''):
            self.assertIsNone(self.checkbox(self.url))

    def test_versions_hidden(self):
        for answer in ({'status_code': 401}, {'status_code': 500},
                       {'exc': OSError}):
            self.cloud.get(cloud.COMPUTE, **answer)
            response = self.client.get(self.url)
            self.assertContains(response, 'id_block_migration')
            self.assertNotContains(response, 'id_post_copy')
            self.assertMessageCount(response, error=0)
