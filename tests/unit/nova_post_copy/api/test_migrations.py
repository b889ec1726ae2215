# SPDX-License-Identifier: Apache-2.0

from tests.unit.nova_post_copy.api import base


class TestMigrations(base.ApiTestCase):

    def _index(self, query='', **kwargs):
        status, body = self.rest('GET', '/os-migrations' + query, **kwargs)
        self.assertEqual(200, status, body)
        return body['migrations']

    def test_what_was_asked(self):
        for asked in ({}, {'post_copy': False}, {'post_copy': True}):
            self.create_migration(**asked)
        self.assertEqual(
            [True, False, None], [m['post_copy'] for m in self._index()])

    def test_other_migrations(self):
        self.create_migration('finished', 'resize', old_instance_type_id=1,
                              new_instance_type_id=2)
        (listed,) = self._index()
        self.assertIsNone(listed['post_copy'])
        self.assertIsNone(listed['phase'])

    def test_where_each_is(self):
        for status in ('completed', 'interrupted (post-copy)', 'running',
                       'accepted'):
            self.create_migration(status)
        self.assertEqual(['scheduling', 'preparing', 'interrupted', None],
                         [each['phase'] for each in self._index()])
        self.assertNotIn('progress', self._index()[0])

    def test_nothing_of_it_below(self):
        self.create_migration(post_copy=True)
        for version in ('2.1', '2.23', '2.59', '2.66', '2.80', base.BELOW):
            (listed,) = self._index(version=version)
            self.assertNotIn('post_copy', listed)
            self.assertNotIn('phase', listed)
        self.assertEqual({**listed, 'post_copy': True, 'phase': 'preparing'},
                         self._index()[0])

    def test_links(self):
        # To what can be shown.
        for status, ours, below in (
            ('running', True, True),
            ('running (post-copy)', True, False),
            ('interrupted (post-copy)', True, False),
            ('completed', False, False),
        ):
            migration = self.create_migration(status)
            self.assertEqual(ours, 'links' in self._index()[0])
            self.assertEqual(
                below, 'links' in self._index(version=base.BELOW)[0])
            if ours:
                bookmark = self._index()[0]['links'][1]['href']
                self.assertTrue(bookmark.endswith(
                    '/servers/%s/migrations/%d' % (
                        self.instance.uuid, migration.id)), bookmark)

    def test_pages(self):
        for _number in range(3):
            self.create_migration(post_copy=True)
        status, body = self.rest('GET', '/os-migrations?limit=2')
        self.assertEqual(2, len(body['migrations']))
        self.assertEqual('next', body['migrations_links'][0]['rel'])

    def test_unknown_filter_as_upstream(self):
        path = '/os-migrations?post_copy=true'
        below = self.rest('GET', path, version=base.BELOW)
        self.assertEqual(400, below[0])
        self.assertEqual(below, self.rest('GET', path))
