# SPDX-License-Identifier: Apache-2.0

"""Live migrations that say something about post-copy.

Upstream's manager does the work: it creates the migration, records the
instance action event and, when the task fails, leaves the server where it is,
with a fault.
"""

from nova.conductor import manager

from nova_post_copy.conductor import task


class ComputeTaskManager(manager.ComputeTaskManager):
    """Makes migrations with one value of ``post_copy``.

    One manager for each value, because upstream calls the method below with
    parameters that have no room for it.
    """

    def __init__(self, post_copy: bool) -> None:
        super().__init__()
        self.post_copy = post_copy

    def _build_live_migrate_task(
            self, context, instance, destination, block_migration,
            disk_over_commit, migration, request_spec=None):
        # The task saves it: an error here would be outside of upstream's try
        # and leave the server in task state "migrating".
        migration.post_copy = self.post_copy
        return task.LiveMigrationTask(
            context, instance, destination, block_migration,
            disk_over_commit, migration, self.compute_rpcapi,
            self.servicegroup_api, self.query_client, self.report_client,
            request_spec)
