# SPDX-License-Identifier: Apache-2.0

"""``nova-post-copy-manage``: add the column; give up a migration.

Run it where ``nova-manage`` is run, with the same ``nova.conf``. To add the
column, that file need not load nova-post-copy yet: the column comes first.
"""

# nova.objects has its classes only after they have been registered.
from __future__ import annotations

from nova import monkey_patch; monkey_patch.patch(backend='threading')  # noqa

from collections.abc import Callable

from oslo_db import exception as db_exc
from oslo_log import log as logging
import sqlalchemy as sa

from nova.cmd import common as cmd_common
import nova.conf
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy.cmd import common
from nova_post_copy.cmd import give_up
from nova_post_copy.db import schema

CONF = nova.conf.CONF

_CELL = cmd_common.args(
    '--cell', metavar='<cell_uuid>',
    help=_('Process only this cell instead of every mapped cell.'))


class DbCommands:
    description = _(
        'Manage the column post_copy in the cell databases. Exit status: 0 '
        'when every database has the column, 1 otherwise.')

    @cmd_common.action_description(_(
        'Add the column post_copy to the tables migrations and '
        'shadow_migrations of every mapped cell, including cell0, where the '
        'column is missing. Safe to repeat, and to run while Nova is running. '
        'Exit status: 0 when every database has the column, 1 otherwise.'))
    @_CELL
    def sync(self, cell: str | None = None) -> int:
        return _in_each_cell(cell, _sync)

    @cmd_common.action_description(_(
        'Show which cell databases have the column post_copy. Changes '
        'nothing. Exit status: 0 when every database has the column, 1 '
        'otherwise.'))
    @_CELL
    def check(self, cell: str | None = None) -> int:
        return _in_each_cell(cell, _check)


CATEGORIES = {'db': DbCommands, 'migration': give_up.MigrationCommands}


# oslo.db does not translate every error of the database.
_DB_ERRORS = (db_exc.DBError, sa.exc.DBAPIError)


class _Failed(Exception):
    """Error that is reported for one cell."""


def _sync(context: nova_context.RequestContext) -> str:
    tables = schema.sync(context)
    if not tables:
        return _('nothing to do')
    return _('column post_copy added to %s') % ', '.join(tables)


def _check(context: nova_context.RequestContext) -> str:
    tables = schema.missing(context)
    if tables:
        raise _Failed(_(
            'no column post_copy in %s; run "nova-post-copy-manage db sync"')
            % ', '.join(tables))
    return _('complete')


def _in_each_cell(
        cell_uuid: str | None,
        action: Callable[[nova_context.RequestContext], str]) -> int:
    """Run the action in each cell, also after one failed, and report it."""
    context = nova_context.get_admin_context()
    try:
        cells = _cells(context, cell_uuid)
    except (_Failed, *_DB_ERRORS) as exc:
        print(_('ERROR: cannot find the cells: %s') % _first_line(exc))
        return 1
    status = 0
    for cell in cells:
        with nova_context.target_cell(context, cell) as cell_context:
            try:
                result = action(cell_context)
            except sa.exc.NoSuchTableError as exc:
                result = _(
                    'ERROR: no table %s; run "nova-manage db sync"') % exc
                status = 1
            except (_Failed, *_DB_ERRORS) as exc:
                result = _('ERROR: %s') % _first_line(exc)
                status = 1
        print(_('Cell %(cell)s: %(result)s') % {
            'cell': cell.identity, 'result': result}, flush=True)
    return status


def _first_line(exc: Exception) -> str:
    # A database error continues with the SQL statement.
    return str(exc).partition('\n')[0]


def _cells(context: nova_context.RequestContext,
           cell_uuid: str | None) -> list[objects.CellMapping]:
    if CONF.api_database.connection is None:
        raise _Failed(_('there is no [api_database] connection in nova.conf'))
    if cell_uuid is not None:
        try:
            return [objects.CellMapping.get_by_uuid(context, cell_uuid)]
        except nova_exception.CellMappingNotFound as exc:
            raise _Failed(exc.format_message())
    cells = objects.CellMappingList.get_all(context)
    if not cells:
        raise _Failed(_('no cell is mapped; see "nova-manage cell_v2"'))
    return list(cells)


def main() -> int | None:
    run = common.read_command_line(CATEGORIES)
    # A change of a server would wait for RabbitMQ, which may be down.
    CONF.set_override('notify_on_state_change', None, group='notifications')
    logging.set_defaults(
        default_log_levels=logging.get_default_log_levels() +
        ['alembic=WARN', 'nova=ERROR'])
    logging.setup(CONF, 'nova')
    objects.register_all()
    return run()
