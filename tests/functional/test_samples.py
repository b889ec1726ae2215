# SPDX-License-Identifier: Apache-2.0

"""The samples of the API reference look like the responses of real migrations.

What stands in the database comes out as in the samples: that is shown by
``tests/unit/nova_post_copy/api/test_api_ref.py``. Here is what a migration
writes to it on its way.
"""

import pathlib
import re

from oslo_serialization import jsonutils

from lab.simulation import guest
from tests.functional import base

SAMPLES = pathlib.Path(__file__).parents[2] / 'api-ref/source/samples'
# What varies from one migration to another, the first that fits.
PATTERNS = {
    'UUID': r'[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}',
    'time': r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}',
    'link': r'http://\S+/servers/\S+/migrations/\d+',
    'text': r'.+',
}
# What says the same in each.
FIXED = ('status', 'phase', 'post_copy', 'migration_type', 'rel')


def sample(name):
    return jsonutils.loads((SAMPLES / name).read_text())


def shape(value, key=None):
    """Return what a sample and a response must have in common."""
    if isinstance(value, dict):
        return {each: shape(value[each], each) for each in value}
    if isinstance(value, list):
        return [shape(each, key) for each in value]
    if isinstance(value, str) and key not in FIXED:
        return next(name for name, pattern in PATTERNS.items()
                    if re.fullmatch(pattern, value))
    return value if key in FIXED else type(value)


class TestSamples(base.TwoHosts):
    def act(self, path, name):
        status, message = self.request(
            'POST', path % self.server['id'], sample(name))
        self.assertEqual(202, status, message)

    def assert_looks_like(self, name, path):
        self.assertEqual(shape(sample(name)),
                         shape(self.api.api_get(path).body))

    def test_one_server(self):
        self.make_busy()
        self.earlier = set()
        self.stop_at(guest.Happening.ITERATION)
        self.act('/servers/%s/action', 'live-migrate-server.json')
        self.wait_until_stopped()
        migration = self.wait_for_migration('running')
        self.act('/servers/%%s/migrations/%d/action' % migration['id'],
                 'force-complete.json')
        self.stop_at(guest.Happening.RESUMED)
        self.hosts.clock.go_on()
        self.wait_until_stopped()
        self.wait_for_migration('running (post-copy)')
        # Its progress is saved a moment after it has begun.
        self.wait_for('progress', lambda: (
            self.in_progress()[0]['memory_total_bytes']))

        path = '/servers/%s/migrations' % self.server['id']
        self.assert_looks_like('server-migrations-index.json', path)
        self.assert_looks_like('server-migrations-show.json',
                               '%s/%d' % (path, migration['id']))
        self.go_on()
        self.complete()

    def test_all_servers(self):
        self.live_migrate(False)
        self.complete()
        self.make_busy()
        self.hosts.moves.clear()
        self.stop_at(guest.Happening.RESUMED)
        self.live_migrate(True)
        self.wait_until_stopped()
        self.wait_for_migration('running (post-copy)')

        by_status = {
            migration['status']: migration
            for migration in sample('migrations-index.json')['migrations']}
        newest, before = self.migrations()
        self.assertEqual(
            (shape(by_status['running (post-copy)']),
             shape(by_status['completed'])),
            (shape(newest), shape(before)))
        self.go_on()
        self.complete()
