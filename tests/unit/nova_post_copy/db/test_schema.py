# SPDX-License-Identifier: Apache-2.0

from unittest import mock

from nova import context as nova_context
from nova.db.main import api as main_db_api
from nova import objects
from nova import test
from oslo_db import exception as db_exc
import sqlalchemy as sa

from nova_post_copy.db import models
from nova_post_copy.db import schema
from nova_post_copy import exception


class TestSchema(test.TestCase):

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        self.engine = main_db_api.get_engine()

    def _drop(self, *tables):
        with self.engine.begin() as connection:
            for table in tables:
                connection.execute(sa.text(
                    'ALTER TABLE %s DROP COLUMN post_copy' % table))

    def test_sync_adds_to_both_tables(self):
        self._drop(*models.TABLES)
        self.assertEqual(list(models.TABLES), schema.missing())
        self.assertEqual(list(models.TABLES), schema.sync())
        self.assertEqual([], schema.missing())
        for table in models.TABLES:
            column, = [
                column for column
                in sa.inspect(self.engine).get_columns(table)
                if column['name'] == 'post_copy']
            self.assertTrue(column['nullable'])
            self.assertIsInstance(column['type'], sa.Boolean)

    def test_sync_is_idempotent(self):
        self.assertEqual([], schema.sync())

    def test_sync_after_half_a_sync(self):
        self._drop('shadow_migrations')
        self.assertEqual(['shadow_migrations'], schema.sync())

    def test_sync_at_the_same_time(self):
        self._drop(*models.TABLES)
        look = schema.missing
        looks = []

        def missing(context=None):
            looks.append(look(context))
            if len(looks) == 1:
                # Another process syncs when we have just looked.
                with self.engine.begin() as connection:
                    for table in models.TABLES:
                        connection.execute(sa.text(
                            'ALTER TABLE %s ADD COLUMN post_copy BOOLEAN'
                            % table))
            return looks[-1]

        with mock.patch.object(schema, 'missing', missing):
            self.assertEqual([], schema.sync())
        self.assertEqual(list(models.TABLES), looks[0])
        self.assertEqual([], schema.missing())

    def test_sync_lets_other_errors_through(self):
        with mock.patch.object(
                schema, 'missing', return_value=['no_such_table']):
            self.assertRaises(db_exc.DBNonExistentTable, schema.sync)

    def test_sync_before_upstreams(self):
        with self.engine.begin() as connection:
            connection.execute(sa.text('DROP TABLE shadow_migrations'))
        self.assertRaises(sa.exc.NoSuchTableError, schema.sync)

    def test_check(self):
        self.flags(connection='sqlite://', group='api_database')
        schema.check()

    def test_check_names_database_and_tables(self):
        self._drop('shadow_migrations')
        exc = self.assertRaises(
            exception.PostCopySchemaMissing, schema.check)
        self.assertIn('shadow_migrations', str(exc))
        self.assertIn(str(self.engine.url), str(exc))

    def _check_cells(self, **answers):
        """:param answers: what happens in cell0 and cell1"""
        self.flags(connection='sqlite://', group='api_database')
        names = {cell.uuid: cell.name
                 for cell in objects.CellMappingList.get_all(self.context)}
        self.assertEqual({'cell0', 'cell1'}, set(names.values()))

        def check(context):
            # Not targeted: the database of [database] connection.
            if context.cell_uuid is not None:
                answer = answers[names[context.cell_uuid]]
                if answer is not None:
                    raise answer

        self.stub_out('nova_post_copy.db.schema._check', check)
        schema.check()

    def test_check_looks_into_each_cell(self):
        self._check_cells(cell0=None, cell1=None)
        for cell in ('cell0', 'cell1'):
            self.assertRaises(
                exception.PostCopySchemaMissing, self._check_cells, **{
                    'cell0': None, 'cell1': None,
                    cell: exception.PostCopySchemaMissing(
                        database=cell, tables='migrations')})

    def test_check_passes_over_a_cell_that_is_down(self):
        self._check_cells(cell0=db_exc.DBConnectionError(), cell1=None)
        self.assertIn(
            'The database of cell %s does not answer'
            % objects.CellMapping.CELL0_UUID, self.stdlog.logger.output)
        self.assertRaises(
            exception.PostCopySchemaMissing, self._check_cells,
            cell0=db_exc.DBConnectionError(),
            cell1=exception.PostCopySchemaMissing(
                database='cell1', tables='migrations'))
