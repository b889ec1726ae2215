# SPDX-License-Identifier: Apache-2.0

from nova import context as nova_context
from nova.db.main import api as main_db_api
from nova import objects
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils
import sqlalchemy as sa


class TestArchive(test.TestCase):
    """Upstream's ``nova-manage db archive_deleted_rows`` and ``purge``."""

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        self.engine = main_db_api.get_engine()
        instance = objects.Instance(
            self.context, uuid=uuids.instance, project_id='project',
            user_id='user')
        instance.create()
        for post_copy in (True, False, None):
            objects.Migration(
                self.context, instance_uuid=uuids.instance, status='completed',
                migration_type='live-migration', post_copy=post_copy).create()
        instance.destroy()
        with self.engine.begin() as connection:
            connection.execute(
                sa.text('UPDATE migrations SET deleted = id, '
                        'deleted_at = :now'), {'now': timeutils.utcnow()})

    def _values(self, table):
        with self.engine.connect() as connection:
            return [row[0] for row in connection.execute(sa.text(
                'SELECT post_copy FROM %s ORDER BY id' % table))]

    def test_archive_and_purge(self):
        tables, instances, _total = main_db_api.archive_deleted_rows(
            max_rows=1000)
        self.assertEqual(3, tables['migrations'])
        self.assertEqual([uuids.instance], instances)
        self.assertEqual([], self._values('migrations'))
        self.assertEqual([1, 0, None], self._values('shadow_migrations'))

        main_db_api.purge_shadow_tables(self.context, None)
        self.assertEqual([], self._values('shadow_migrations'))
