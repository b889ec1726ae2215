# SPDX-License-Identifier: Apache-2.0

"""The column that nova-post-copy adds to the cell database."""

import sqlalchemy as sa

COLUMN = 'post_copy'
# Rows of the first move to the second by "nova-manage db
# archive_deleted_rows".
TABLES = ('migrations', 'shadow_migrations')


def post_copy() -> sa.Column:
    """What a live migration was asked for; NULL: nothing.

    Each table needs a column object of its own.
    """
    return sa.Column(COLUMN, sa.Boolean(), nullable=True)
