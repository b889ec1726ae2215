# SPDX-License-Identifier: Apache-2.0

"""The API reference tells what the API does: its samples, its parameters."""

import pathlib
import re

from oslo_serialization import jsonutils
from oslo_utils import timeutils
import yaml

from nova.compute import task_states
from nova import objects
from nova import test

from nova_post_copy.api import microversion
from nova_post_copy.api import phase
from nova_post_copy.api import schemas
from nova_post_copy.objects import migration as migration_obj
from tests.unit.nova_post_copy.api import base

SOURCE = pathlib.Path(__file__).parents[4] / 'api-ref' / 'source'
# The server of the samples, and how each response names its fields.
SERVER = '4cfba335-03d8-49b2-8c52-e69043d1e8fe'
FIELDS = {
    'server_uuid': 'instance_uuid',
    'disk_total_bytes': 'disk_total',
    'disk_processed_bytes': 'disk_processed',
    'disk_remaining_bytes': 'disk_remaining',
    'memory_total_bytes': 'memory_total',
    'memory_processed_bytes': 'memory_processed',
    'memory_remaining_bytes': 'memory_remaining',
}


class TestSamples(base.ApiTestCase):

    def setUp(self):
        super().setUp()
        self.flags(compute_link_prefix='http://openstack.example.com',
                   group='api')

    def _sample(self, name):
        text = (SOURCE / 'samples' / name).read_text()
        return jsonutils.loads(text.replace(SERVER, self.instance.uuid))

    def _create(self, sample):
        """Store the migration that a sample shows."""
        sample = dict(sample)
        sample.pop('links', None)
        if sample['post_copy'] is None:
            del sample['post_copy']
        # What it is derived from is in the sample, apart from this.
        del sample['phase']
        self.instance.progress = sample.pop('progress', 0)
        self.instance.save()
        # The columns have no time zone.
        for key in ('created_at', 'updated_at'):
            sample[key] = timeutils.parse_isotime(
                sample[key]).replace(tzinfo=None)
        sample = {FIELDS.get(key, key): sample[key] for key in sample}
        sample.setdefault('migration_type', 'live-migration')
        del sample['id']
        objects.Migration(
            self.cell_context, dest_compute_id=2, **sample).create()

    def test_live_migrate(self):
        conductor = self.serve_conductor()
        self.serve_compute('host-a')
        answer = self.rest('POST', '/servers/%s/action' % self.instance.uuid,
                           self._sample('live-migrate-server.json'))
        self.assertEqual((202, ''), answer)
        self.assertIs(True, conductor.requests[0]['post_copy'])

    def test_force_complete(self):
        self.instance.task_state = task_states.MIGRATING
        self.instance.save()
        migration = self.create_migration('running (post-copy)')
        status, _body = self.rest(
            'POST', '/servers/%s/migrations/%d/action' % (
                self.instance.uuid, migration.id),
            self._sample('force-complete.json'))
        # The body passes, the migration does not.
        self.assertEqual(409, status)

    def test_server_migrations(self):
        path = '/servers/%s/migrations' % self.instance.uuid
        index = self._sample('server-migrations-index.json')
        self._create(index['migrations'][0])
        self.assertEqual((200, index), self.rest('GET', path))
        self.assertEqual((200, self._sample('server-migrations-show.json')),
                         self.rest('GET', path + '/1'))

    def test_migrations(self):
        sample = self._sample('migrations-index.json')
        for migration in reversed(sample['migrations']):
            self._create(migration)
        self.assertEqual((200, sample), self.rest('GET', '/os-migrations'))


class TestParameters(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.parameters = yaml.safe_load(
            (SOURCE / 'parameters.yaml').read_text())

    def _listed(self, page):
        """Return what a page lists: names, keys of parameters.yaml."""
        names, keys = zip(*re.findall(
            r'^  - (\S+): (\S+)$', (SOURCE / page).read_text(),
            re.MULTILINE))
        return set(names), set(keys)

    def _assert_listed(self, properties, page):
        names, _keys = self._listed(page)
        self.assertEqual(set(), set(properties) - names)

    def test_responses(self):
        for page, schema in (
            ('server-migrations.inc', schemas.index_response),
            ('os-migrations.inc', schemas.index_migrations_response),
        ):
            migration = schema['properties']['migrations']['items']
            self._assert_listed(migration['properties'], page)

    def test_requests(self):
        action = schemas.migrate_live['properties']['os-migrateLive']
        self._assert_listed(action['properties'], 'os-migrate-live.inc')
        self._assert_listed(schemas.index_migrations_query['properties'],
                            'os-migrations.inc')

    def test_statuses(self):
        page = (SOURCE / 'server-migrations.inc').read_text()
        told = self.parameters['status_in_progress']['description']
        for status in migration_obj.IN_PROGRESS:
            self.assertIn('``%s``' % status, told)
            self.assertIn('``%s``' % status, page)

    def test_phases(self):
        told = self.parameters['phase']['description']
        for each in phase.Phase:
            self.assertIn('``%s``' % each, told)

    def test_microversion(self):
        for key in ('post_copy_request', 'post_copy_response', 'phase',
                    'progress'):
            self.assertEqual(
                microversion.VERSION,
                str(self.parameters[key]['min_version']))

    def test_each_is_defined_and_used(self):
        used = set()
        for page in ('os-migrate-live.inc', 'server-migrations.inc',
                     'os-migrations.inc'):
            used |= self._listed(page)[1]
        self.assertEqual(set(self.parameters), used)
