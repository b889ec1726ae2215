# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

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
