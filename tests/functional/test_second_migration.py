# SPDX-License-Identifier: Apache-2.0

"""Another migration while one is not over (issue 11, sequence 2).

The API refuses it. Here the hosts do, because the API may be another release.
"""

import fixtures

from lab.simulation import guest
from nova_post_copy import exception
from tests.functional import base


class TestSecondMigration(base.BreakingHosts):
    HOSTS = ('src', 'dest', 'third')
    NETWORKS = 'auto'
    VOLUMES = 1
    SHARED_INSTANCES_PATH = False

    def setUp(self):
        super().setUp()
        self.flags(max_concurrent_live_migrations=2)
        # An API that knows nothing of post-copy.
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.objects.migration.unfinished',
            lambda *args, **kwargs: None))
        self.stop_at(guest.Happening.RESUMED)
        self.live_migrate(True, 'dest')
        self.wait_until_stopped()
        self.hosts.stop_at = set()
        self.first = self.wait_for_migration('running (post-copy)')

    def request_again(self, **request):
        self.api.post_server_action(
            self.server['id'], {'os-resetState': {'state': 'active'}})
        self.request('POST', '/servers/%s/action' % self.server['id'],
                     self.body(**request))
        self.wait_for('end of the second', lambda: all(
            migration['status'] in ('error', 'failed', 'cancelled')
            for migration in self.migrations()
            if migration['id'] != self.first['id']))

    def the_first_goes_on(self):
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
        self.go_on()
        self.wait_for('completed', lambda: [
            migration['status'] for migration in self.migrations()
            if migration['id'] == self.first['id']] == ['completed'])
        self.wait_until_settled()
        # What placement counts is the business of the API that let it in.
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
        self.assertEqual('dest', self.show()['OS-EXT-SRV-ATTR:host'])
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))
        self.assert_no_records()
        self.assert_storage_and_network('dest')

    def test_plain_to_any_host(self):
        self.request_again()
        self.the_first_goes_on()

    def test_plain_to_the_same_host(self):
        self.request_again(host='dest')
        self.the_first_goes_on()

    def test_rollback_of_another_request(self):
        """A destination that is told to clean up does not, if it is live."""
        with self.processes['dest']:
            self.assertRaises(
                exception.PostCopyLiveCopy, self.computes['dest'].manager.
                rollback_live_migration_at_destination,
                base.context.get_admin_context(), self._instance(), True,
                None)
        self.the_first_goes_on()

    def _instance(self):
        with base.context.target_cell(
                base.context.get_admin_context(),
                self.cell_mappings['cell1']) as cell:
            return base.objects.Instance.get_by_uuid(cell, self.server['id'])
