# SPDX-License-Identifier: Apache-2.0

import io

import fixtures
from nova import context as nova_context
from nova.db.main import api as main_db_api
from nova import objects
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids
import sqlalchemy as sa

from nova_post_copy.cmd import manage
from nova_post_copy.db import models
from tests.unit.nova_post_copy.cmd import base


class TestDbCommands(test.TestCase):

    def setUp(self):
        super().setUp()
        # Only tells whether there is one: nova.test has connected already.
        self.flags(connection='sqlite://', group='api_database')
        self.output = io.StringIO()
        self.useFixture(fixtures.MonkeyPatch('sys.stdout', self.output))
        self.context = nova_context.get_admin_context()
        self.cells = objects.CellMappingList.get_all(self.context)
        self.commands = manage.DbCommands()

    def _execute(self, statement):
        for cell in self.cells:
            with nova_context.target_cell(self.context, cell) as context:
                engine = main_db_api.get_engine(context=context)
                with engine.begin() as connection:
                    connection.execute(sa.text(statement))

    def _drop(self):
        for table in models.TABLES:
            self._execute('ALTER TABLE %s DROP COLUMN post_copy' % table)

    def _lines(self):
        lines = self.output.getvalue().splitlines()
        self.output.seek(0)
        self.output.truncate()
        return lines

    def test_check_and_sync(self):
        self.assertIn(objects.CellMapping.CELL0_UUID,
                      [cell.uuid for cell in self.cells])
        self._drop()
        for command, status, text in (
            (self.commands.check, 1,
             'ERROR: no column post_copy in migrations, shadow_migrations'),
            (self.commands.sync, 0,
             'column post_copy added to migrations, shadow_migrations'),
            (self.commands.sync, 0, 'nothing to do'),
            (self.commands.check, 0, 'complete'),
        ):
            self.assertEqual(status, command())
            lines = self._lines()
            self.assertEqual(len(self.cells), len(lines))
            for cell, line in zip(self.cells, lines):
                self.assertIn('Cell %s: %s' % (cell.identity, text), line)

    def test_one_cell(self):
        self._drop()
        self.assertEqual(0, self.commands.sync(cell=self.cells[1].uuid))
        self.assertEqual(1, len(self._lines()))
        self.assertEqual(1, self.commands.check())
        self.assertEqual(0, self.commands.check(cell=self.cells[1].uuid))

    def test_unknown_cell(self):
        self.assertEqual(1, self.commands.sync(cell=uuids.cell))
        line, = self._lines()
        self.assertIn('ERROR: cannot find the cells', line)
        self.assertIn(uuids.cell, line)

    def test_goes_on_after_a_cell_that_failed(self):
        self._drop()
        sync = manage.schema.sync

        def first_one_fails(context):
            if context.cell_uuid == self.cells[0].uuid:
                raise sa.exc.OperationalError(
                    'ALTER TABLE', {}, Exception('disk full'))
            return sync(context)

        self.stub_out('nova_post_copy.db.schema.sync', first_one_fails)
        self.assertEqual(1, self.commands.sync())
        failed, *others = self._lines()
        self.assertIn('ERROR: ', failed)
        self.assertIn('disk full', failed)
        for line in others:
            self.assertIn('column post_copy added', line)

    def test_before_upstreams_sync(self):
        self._execute('DROP TABLE shadow_migrations')
        self.assertEqual(1, self.commands.sync())
        for line in self._lines():
            self.assertIn('ERROR: no table shadow_migrations; run '
                          '"nova-manage db sync"', line)

    def test_no_cells(self):
        for cell in self.cells:
            cell.destroy()
        self.assertEqual(1, self.commands.sync())
        self.assertIn('no cell is mapped', self._lines()[0])


class TestMain(base.CommandTestCase):
    MODULE = 'manage'

    def test_help(self):
        result = self._run('db', 'sync', '--help')
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertIn('--cell <cell_uuid>', result.stdout)
        self.assertIn('Exit status: 0', ' '.join(result.stdout.split()))

    def test_exit_status(self):
        result = self._run('db', 'sync')
        self.assertEqual(1, result.returncode, result.stderr)
        self.assertEqual('ERROR: cannot find the cells: there is no '
                         '[api_database] connection in nova.conf\n',
                         result.stdout)
