# SPDX-License-Identifier: Apache-2.0

"""At our microversion and at each kind of request below it."""

from nova_post_copy.api import microversion
from tests.functional import base

OURS = microversion.VERSION
UPSTREAM = '2.%d' % (int(OURS.split('.')[1]) - 1)

# Each at which the schema of os-migrateLive or of a migration has changed,
# and upstream's newest.
BELOW = ('2.1', '2.24', '2.25', '2.30', '2.34', '2.59', '2.68', '2.80',
         UPSTREAM)


class TestMicroversion(base.TwoHosts):
    def test_version_document(self):
        documents = self.api.api_get('/', strip_version=True)
        (document,) = [version for version in documents.body['versions']
                       if version['id'] == 'v2.1']
        self.assertEqual(OURS, document['version'])
        self.assertEqual('2.1', document['min_version'])
        self.assertEqual(
            OURS, self.api.api_get('/').body['version']['version'])

    def test_above_it_is_nothing(self):
        above = '2.%d' % (int(OURS.split('.')[1]) + 1)
        with self.microversion_is(above):
            status, message = self.request('GET', '/servers')
        self.assertEqual(406, status)
        self.assertIn(OURS, message)

    def test_below_it_is_an_unknown_key(self):
        for version in BELOW:
            # What each of these wants to have.
            more = {}
            if version in ('2.1', '2.24'):
                more = {'block_migration': False, 'disk_over_commit': False}
            with self.microversion_is(version):
                for value in (True, False):
                    status, message = self.refused(value, **more)
                    self.assertEqual(400, status, version)
                    unknown, expected = self.refused(**more, unknown=value)
                    self.assertEqual(unknown, status)
                    self.assertEqual(
                        expected.replace('unknown', 'post_copy'), message)
        self.assert_untouched()

    def test_a_json_boolean_and_nothing_else(self):
        for value in ('true', 'True', 'yes', 1, 0, None, [], {}):
            status, message = self.refused(value)
            self.assertEqual(400, status, value)
            self.assertIn('post_copy', message)
        self.assert_untouched()

    def test_in_no_response_below_it(self):
        self.live_migrate(True)
        self.complete()

        for version in BELOW:
            with self.microversion_is(version):
                if version == '2.1':
                    everything = self.api.api_get(
                        '/os-migrations').body['migrations']
                    migrations = [
                        migration for migration in everything
                        if migration['instance_uuid'] == self.server['id']]
                else:
                    migrations = self.migrations()
                self.assertEqual(1, len(migrations))
                self.assertNotIn('post_copy', migrations[0], version)

    def test_what_each_migration_was_asked_for(self):
        for value in (base.ABSENT, True, False):
            self.live_migrate(value)
            self.complete()

        self.assertEqual(
            [None, True, False],
            [migration['post_copy'] for migration
             in sorted(self.migrations(), key=lambda m: m['id'])])
