# SPDX-License-Identifier: Apache-2.0

"""Task manager for live migrations whose request contains ``post_copy``.

Upstream's manager does the work: it creates the migration, records the event
of the instance action and, when the task fails, leaves the server on the
source with an instance fault.
"""

from nova.conductor import manager
from nova import exception

from nova_post_copy.conductor import failure
from nova_post_copy.conductor import task


class ComputeTaskManager(manager.ComputeTaskManager):
    """Creates migrations with one value of ``post_copy``.

    There is one manager per value, because upstream's call of the method below
    cannot pass the value.
    """

    def __init__(self, post_copy: bool) -> None:
        super().__init__()
        self.post_copy = post_copy

    def _live_migrate(self, *args, **kwargs) -> None:
        """Migrate; the error of the event names hosts, that of the fault not.

        :raises MigrationPreCheckError: the server is as it was
        """
        try:
            super()._live_migrate(*args, **kwargs)
        except failure.NotMigrated as exc:
            # The fault, which tenants read, is written. The event follows,
            # whose details are for administrators.
            raise exception.MigrationPreCheckError(
                exc.kwargs['reason']) from exc

    def _build_live_migrate_task(
            self, context, instance, destination, block_migration,
            disk_over_commit, migration, request_spec=None):
        # Saved by the task: an error here would be outside of upstream's try
        # block and leave the server in task state "migrating".
        migration.post_copy = self.post_copy
        return task.LiveMigrationTask(
            context, instance, destination, block_migration,
            disk_over_commit, migration, self.compute_rpcapi,
            self.servicegroup_api, self.query_client, self.report_client,
            request_spec)
