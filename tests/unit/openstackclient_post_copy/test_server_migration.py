# SPDX-License-Identifier: Apache-2.0

import json

from tests.unit.openstackclient_post_copy import base

LIST = ('server', 'migration', 'list', '-f', 'json')
SHOW = ('server', 'migration', 'show', '-f', 'json', 'busy')
UUID = base.MIGRATION['uuid']


class ClientTestCase(base.ClientTestCase):

    def shown(self, *argv: str):
        result = self.openstack(*argv)
        self.assertEqual((0, ''), (result.code, result.stderr))
        return json.loads(result.stdout)

    def versions(self) -> list[str]:
        """The versions in which migrations were read."""
        return [base.version_of(request) for request in self.sent
                if 'migrations' in request.path]


class ListMigrationTestCase(ClientTestCase):

    def test_column(self):
        row, = self.shown(*LIST)

        self.assertIs(True, row['Post Copy'])
        self.assertEqual(['2.105'], self.versions())

    def test_upstream_columns_stay(self):
        """Compared with an abbreviation, for which there is no hook."""
        row, = self.shown(*LIST)
        upstream, = self.shown('server', 'migration', 'lis', '-f', 'json')

        self.assertEqual([*upstream, 'Post Copy', 'Phase'], list(row))
        self.assertEqual('post-copy', row['Phase'])
        self.assertEqual(upstream, {
            name: value for name, value in row.items() if name in upstream})

    def test_filters(self):
        self.shown(*LIST, '--server', 'busy', '--limit', '1', '--host', 'a')

        self.assertEqual(
            {'host': ['a'], 'instance_uuid': [base.SERVER['id']],
             'limit': ['1']}, self.sent[-1].qs)

    def test_null(self):
        self.answer('GET', '/os-migrations', {
            'migrations': [dict(base.MIGRATION, post_copy=None)]})

        row, = self.shown(*LIST)

        self.assertIsNone(row['Post Copy'])

    def test_no_migration(self):
        self.answer('GET', '/os-migrations', {'migrations': []})

        table = self.openstack('server', 'migration', 'list', '-f', 'csv')

        self.assertIn('Post Copy', table.stdout)

    def test_version_high_enough(self):
        row, = self.shown('--os-compute-api-version', '2.105', *LIST)

        self.assertIs(True, row['Post Copy'])

    def test_version_too_low(self):
        row, = self.shown('--os-compute-api-version', '2.90', *LIST)

        self.assertNotIn('Post Copy', row)
        self.assertEqual(['2.90'], self.versions())


class ShowMigrationTestCase(ClientTestCase):

    def test_row(self):
        shown = self.shown(*SHOW, '7')

        self.assertIs(True, shown['Post Copy'])
        self.assertEqual('running (post-copy)', shown['Status'])
        self.assertEqual(['2.105'], self.versions())

    def test_by_uuid(self):
        shown = self.shown(*SHOW, UUID)

        self.assertIs(True, shown['Post Copy'])
        self.assertEqual(7, shown['ID'])
        self.assertEqual(['2.105'], self.versions())

    def test_upstream_rows_stay(self):
        shown = self.shown(*SHOW, UUID)
        upstream = self.shown('server', 'migration', 'sho', '-f', 'json',
                              'busy', UUID)

        self.assertEqual([*upstream, 'Post Copy', 'Phase', 'Progress'],
                         list(shown))
        self.assertEqual(('post-copy', 75),
                         (shown['Phase'], shown['Progress']))

    def test_not_in_progress(self):
        self.answer('GET', base.SERVER_MIGRATIONS + '/7', status=404)

        self.assertEqual(1, self.openstack(*SHOW, '7').code)

    def test_version_too_low(self):
        shown = self.shown('--os-compute-api-version', '2.90', *SHOW, UUID)

        self.assertNotIn('Post Copy', shown)
        self.assertEqual(['2.90'], self.versions())


class UnextendedCloudTestCase(ClientTestCase):
    cloud_version = '2.104'

    def test_as_before(self):
        row, = self.shown(*LIST)
        shown = self.shown(*SHOW, UUID)

        self.assertNotIn('Post Copy', row)
        self.assertNotIn('Post Copy', shown)
        self.assertEqual(['2.80', '2.80'], self.versions())


class OtherMeaningTestCase(ClientTestCase):
    """A later Nova, without us, that uses the same microversion."""

    cloud_version = '2.106'

    def _migration(self, request):
        return dict(base.MIGRATION)

    def test_no_column(self):
        row, = self.shown(*LIST)

        self.assertNotIn('Post Copy', row)
        for migration in ('7', UUID):
            self.assertNotIn('Post Copy', self.shown(*SHOW, migration))
