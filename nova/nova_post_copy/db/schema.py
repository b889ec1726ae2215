# SPDX-License-Identifier: Apache-2.0

"""Add the column to a cell database, and check that it exists.

This is not a step in upstream's chain of schema versions, and there is no
chain of our own: a second version table or row breaks ``nova-manage db sync``
or ``archive_deleted_rows``. The existence of the column is the version.
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
    """Add the column to each table where it is missing.

    :param context: targeted at a cell; without one, the database of
        ``[database] connection`` is used
    :returns: the tables that were changed; empty when none lacked the column
    :raises NoSuchTableError: Nova's tables are missing
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
            # Another sync at the same time may have been faster. Each dialect
            # has its own error for that, which oslo.db does not translate.
            if table in missing(context):
                raise
        else:
            changed.append(table)
    return changed


def missing(
        context: nova_context.RequestContext | None = None) -> list[str]:
    """Return the tables that lack the column.

    :param context: as for :func:`sync`
    :raises NoSuchTableError: Nova's tables are missing
    """
    inspector = sa.inspect(main_db_api.get_engine(context=context))
    return [
        table for table in models.TABLES
        if models.COLUMN not in {
            column['name'] for column in inspector.get_columns(table)}]


def check() -> None:
    """Check that every cell database has the column, when a service starts.

    Without the column every read of a migration would fail, and a live
    migration would leave its server in task state "migrating" for ever.

    Checks the database of ``[database] connection`` and, where an API database
    is configured, that of each cell. As upstream, skips a cell that does not
    answer within Nova's time limit for cells (60 s).

    :raises PostCopySchemaMissing: a database does not have the column
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
                'The database of cell %s does not answer: could not check '
                'for the column post_copy', cell_uuid)


def _check(context: nova_context.RequestContext) -> None:
    tables = missing(context)
    if tables:
        url = main_db_api.get_engine(context=context).url
        raise exception.PostCopySchemaMissing(
            database=url.render_as_string(hide_password=True),
            tables=', '.join(tables))
