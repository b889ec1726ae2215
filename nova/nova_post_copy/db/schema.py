# SPDX-License-Identifier: Apache-2.0

"""Put the column into a cell database, and see whether it is there.

This is no step in upstream's chain of schema versions, and there is no chain
of our own: a second version table or row breaks ``nova-manage db sync`` or
``archive_deleted_rows``. The column itself says that it is there.
"""

from alembic import operations
from alembic.runtime import migration as alembic_migration
from oslo_db import exception as db_exc
from oslo_log import log as logging
import sqlalchemy as sa

import nova.conf
from nova import context as nova_context
from nova.db.main import api as main_db_api

from nova_post_copy.db import models
from nova_post_copy import exception

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)


def sync(context: nova_context.RequestContext | None = None) -> list[str]:
    """Add the column wherever it is missing.

    :param context: targeted at a cell; without one it is the database of
        ``[database] connection``
    :returns: the tables that were changed, none when all was done before
    :raises NoSuchTableError: the database has not got Nova's schema
    """
    engine = main_db_api.get_engine(context=context)
    changed = []
    for table in missing(context):
        try:
            with engine.begin() as connection:
                operations.Operations(
                    alembic_migration.MigrationContext.configure(connection)
                ).add_column(table, models.post_copy())
        except (db_exc.DBError, sa.exc.DBAPIError):
            # Two syncs at once: the other one was faster. Each dialect has
            # its own error for that, and oslo.db has none.
            if table in missing(context):
                raise
        else:
            changed.append(table)
    return changed


def missing(
        context: nova_context.RequestContext | None = None) -> list[str]:
    """Return the tables that lack the column.

    :param context: as for :func:`sync`
    :raises NoSuchTableError: the database has not got Nova's schema
    """
    inspector = sa.inspect(main_db_api.get_engine(context=context))
    return [
        table for table in models.TABLES
        if models.COLUMN not in {
            column['name'] for column in inspector.get_columns(table)}]


def check() -> None:
    """Let a service start only if every cell database has the column.

    Without it each read of a migration would fail, and a live migration
    would leave its server in task state "migrating" for ever.

    Looks into the database of ``[database] connection`` and, where there is
    an API database, into that of each cell. Upstream starts without a cell
    that is down, and so do we, after Nova's time limit for cells (60 s).

    :raises PostCopySchemaMissing: for a database without the column
    """
    context = nova_context.get_admin_context()
    if CONF.database.connection is not None:
        _check(context)
    if CONF.api_database.connection is None:
        return
    answers = nova_context.scatter_gather_all_cells(context, _check)
    for cell_uuid, answer in answers.items():
        if isinstance(answer, exception.PostCopySchemaMissing):
            raise answer
        if nova_context.is_cell_failure_sentinel(answer):
            LOG.warning(
                'The database of cell %s does not answer, so it is not known '
                'whether it has the column of nova-post-copy', cell_uuid)


def _check(context: nova_context.RequestContext) -> None:
    tables = missing(context)
    if tables:
        url = main_db_api.get_engine(context=context).url
        raise exception.PostCopySchemaMissing(
            database=url.render_as_string(hide_password=True),
            tables=', '.join(tables))
