# SPDX-License-Identifier: Apache-2.0

from tests.unit.novaclient_post_copy import base


class MigrationListTestCase(base.ClientTestCase):

    def test_column(self):
        table = self.nova('migration-list', '--host', 'host-a')

        self.assertEqual(1, len(self.sent))
        self.assertSent(self.sent[0], 'GET', '/os-migrations?host=host-a',
                        '2.105')
        self.assertIn('True', table)

    def test_upstream_columns_stay(self):
        ours = base.column_names(self.nova('migration-list'))
        self.extensions = []
        upstream = base.column_names(self.nova('migration-list'))

        self.assertEqual(upstream + ['Post Copy', 'Phase'], ours)

    def test_null(self):
        self.requests_mock.get(
            base.COMPUTE + '/os-migrations',
            json={'migrations': [dict(base.MIGRATION, post_copy=None,
                                      phase=None)]})

        row = self.nova('migration-list').splitlines()[3]

        self.assertEqual(['-', '-'], [
            cell.strip() for cell in row.strip('|').split('|')[-2:]])

    def test_no_migration(self):
        self.requests_mock.get(base.COMPUTE + '/os-migrations',
                               json={'migrations': []})

        self.assertIn('Post Copy',
                      base.column_names(self.nova('migration-list')))

    def test_explicit_version(self):
        table = self.nova('--os-compute-api-version', '2.96',
                          'migration-list')

        self.assertSent(self.sent[0], 'GET', '/os-migrations', '2.96')
        self.assertNotIn('Post Copy', table)

    def test_tables_of_other_commands(self):
        self.nova('migration-list')

        table = self.nova('host-evacuate-live', 'host-a')

        self.assertEqual(['Server UUID', 'Live Migration Accepted',
                          'Error Message'], base.column_names(table))


class UnextendedCloudTestCase(base.ClientTestCase):
    cloud_version = '2.104'

    def test_as_before(self):
        table = self.nova('migration-list')

        self.assertSent(self.sent[0], 'GET', '/os-migrations', '2.96')
        self.assertNotIn('Post Copy', table)


class OtherMeaningTestCase(base.ClientTestCase):
    """A later Nova, without us, that uses the same microversion."""

    cloud_version = '2.106'

    def _migration(self, request):
        return dict(base.MIGRATION)

    def test_no_column(self):
        self.assertNotIn('Post Copy', self.nova('migration-list'))
