# SPDX-License-Identifier: Apache-2.0

"""The column that nova-post-copy adds to the cell database."""

import sqlalchemy as sa

COLUMN = 'post_copy'
# "nova-manage db archive_deleted_rows" moves rows of the first to the second.
TABLES = ('migrations', 'shadow_migrations')


def post_copy() -> sa.Column:
    """Return a column for the ``post_copy`` of a request; NULL: not given.

    Each table needs its own column object.
    """
    return sa.Column(COLUMN, sa.Boolean(), nullable=True)
