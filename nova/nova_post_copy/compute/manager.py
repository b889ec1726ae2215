# SPDX-License-Identifier: Apache-2.0

"""nova-compute's manager: upstream's, which also finishes what it started.

A migration with ``post_copy: true`` has a durable record on its source (see
:mod:`.record`) until Nova's database agrees with the hosts. A record that no
thread of this process handles is reconciled, be it after a restart, or because
the database, the message queue, placement or the destination was unavailable
when a step needed it.
"""

from nova_post_copy.seams import check
from nova_post_copy.seams.seam import Part

# Before our manager takes what it needs from upstream's.
check.require(Part.MANAGER)

import functools
import threading

from oslo_log import log as logging
from oslo_service import periodic_task

from nova.compute import manager
from nova.compute import task_states
from nova import context as nova_context
from nova import exception as nova_exception
from nova.i18n import _
from nova import objects

from nova_post_copy.compute import arrivals
from nova_post_copy.compute import arriving_requests
from nova_post_copy.compute import closing
from nova_post_copy.compute import dead_sources
from nova_post_copy.compute import deletes
from nova_post_copy.compute import dropped_requests
from nova_post_copy.compute import endpoint
from nova_post_copy.compute import last_steps
from nova_post_copy.compute import leftovers
from nova_post_copy.compute import prepared
from nova_post_copy.compute import reconcile
from nova_post_copy.compute import record
from nova_post_copy.compute.record import DeleteType
from nova_post_copy.compute import rpcapi
from nova_post_copy.compute import shut_down
from nova_post_copy.compute import states
from nova_post_copy.objects.migration import requested
from nova_post_copy import threads

LOG = logging.getLogger(__name__)

# Seconds between two runs: for migrations that no thread handles, and for
# dropped requests, leftovers and pending arrivals.
RECONCILE_INTERVAL_S = 10
SWEEP_INTERVAL_S = 60


class ComputeManager(arrivals.Arrivals, last_steps.LastSteps,
                     shut_down.ShutDown, manager.ComputeManager):

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.additional_endpoints.append(
            endpoint.PostCopyEndpoint(self.driver))
        # The instances whose migration a thread handles.
        self._handled: set[str] = set()
        # Instances to initialize after their migration was reconciled.
        self._postponed: set[str] = set()
        self._reconciling = threading.Lock()
        # The ids of migrations whose request is ignored if it still arrives.
        self._given_up: set[int] = set()
        self._claiming = threading.Lock()
        self.ending = states.Ending()

    # Keep the record

    def live_migration(self, context, dest, instance, block_migration,
                       migration, migrate_data) -> None:
        """Start a live migration, on its source."""
        if not requested(migration):
            super().live_migration(context, dest, instance, block_migration,
                                   migration, migrate_data)
            return
        with self._claiming:
            if (migration.id in self._given_up or
                    dropped_requests.was_given_up(context, migration)):
                dropped_requests.ignore(self, context, migration)
                return
            try:
                instance_now = objects.Instance.get_by_uuid(
                    context, instance.uuid, expected_attrs=closing.ATTRIBUTES)
            except nova_exception.InstanceNotFound:
                dropped_requests.forget(self, context, migration)
                return
            reason = arriving_requests.refusal(
                context, self.host, instance_now, migration)
            if reason is not None:
                dropped_requests.refuse(
                    self, context, instance_now, migration, reason)
                return
            self._handled.add(instance.uuid)
        try:
            self._keep_record(context, dest, instance, block_migration,
                              migration, migrate_data)
        except Exception as exc:
            self._handled.discard(instance.uuid)
            record.remove(instance.uuid)
            dropped_requests.refuse(self, context, instance_now, migration, _(
                'nova-compute on the source could not write the record of '
                'the migration: %s') % exc)
            return
        try:
            super().live_migration(context, dest, instance, block_migration,
                                   migration, migrate_data)
        except Exception:
            self._handled.discard(instance.uuid)
            raise

    def _keep_record(self, context, dest, instance, block_migration,
                     migration, migrate_data) -> None:
        destination = rpcapi.PostCopyComputeAPI()
        record.write(record.Record(
            instance_uuid=instance.uuid, migration_id=migration.id,
            dest=dest, block_migration=bool(block_migration),
            request_id=context.request_id, user_id=context.user_id,
            project_id=context.project_id, migrate_data=migrate_data,
            source_bdms=(
                objects.BlockDeviceMappingList.get_by_instance_uuid(
                    context, instance.uuid)),
            recovery_addr=destination.recovery_address(context, dest),
            resume_refusal=destination.resume_refusal(context, dest)))

    def _start_recorded_task(self, executor_type, task_name, instance,
                             context, func, *args, **kwargs):
        future = super()._start_recorded_task(
            executor_type, task_name, instance, context, func, *args,
            **kwargs)
        if task_name == 'live_migration':
            # Also called when the task is cancelled before it starts.
            future.add_done_callback(
                lambda _future: self._let_go(instance.uuid))
        return future

    def _let_go(self, uuid: str) -> None:
        """Note that no thread handles a migration, once that is so.

        An interrupted migration is still watched when Nova's thread, which
        stands for its slot, has ended.
        """
        work = None
        if uuid in self._handled and hasattr(self.driver, 'post_copy_work'):
            work = self.driver.post_copy_work(uuid)
        if work is None:
            self._handled.discard(uuid)
        else:
            work.add_done_callback(lambda _work: self._handled.discard(uuid))

    # Reconcile what no thread handles

    def _init_instance(self, context, instance) -> None:
        """Initialize an instance when the service starts.

        Upstream would abort an unfinished migration, or forget it.
        """
        if reconcile.is_ours(context, self.host, instance):
            LOG.info('Reconciling the unfinished live migration of this '
                     'instance', instance=instance)
            self._postponed.add(instance.uuid)
            return
        super()._init_instance(context, instance)

    def post_start_hook(self) -> None:
        super().post_start_hook()
        self.reconcile_migrations()

    @periodic_task.periodic_task(spacing=RECONCILE_INTERVAL_S)
    def _reconcile_migrations(self, context) -> None:
        states.put_back_handled(self, context, self._handled)
        self.reconcile_migrations()

    @periodic_task.periodic_task(spacing=SWEEP_INTERVAL_S)
    def _give_up_dropped_requests(self, context) -> None:
        dropped_requests.give_up(self, context, self._give_up)

    def _give_up(self, migration: objects.Migration) -> bool:
        with self._claiming:
            if (migration.instance_uuid in self._handled or
                    record.exists(migration.instance_uuid)):
                return False
            self._given_up.add(migration.id)
            return True

    @periodic_task.periodic_task(spacing=RECONCILE_INTERVAL_S)
    def _report_dead_sources(self, context) -> None:
        dead_sources.report(self, context)

    @periodic_task.periodic_task(spacing=SWEEP_INTERVAL_S)
    def _settle_given_up(self, context) -> None:
        dead_sources.settle_given_up(self, context)

    @periodic_task.periodic_task(spacing=SWEEP_INTERVAL_S)
    def _remove_leftovers(self, context) -> None:
        leftovers.remove_unneeded(self)
        prepared.remove_unneeded(self)

    @periodic_task.periodic_task(spacing=SWEEP_INTERVAL_S)
    def _end_pending_arrivals(self, context) -> None:
        """Drop arrivals that upstream would wait for when the service stops.

        A server whose memory was lost is recorded on this host, but no call
        tells this host that the migration is over.
        """
        for uuid in list(self._pending_dest_live_migrations):
            try:
                instance = objects.Instance.get_by_uuid(context, uuid)
                over = (instance.host == self.host and
                        instance.task_state != task_states.MIGRATING)
            except nova_exception.InstanceNotFound:
                over = True
            if over:
                self._end_pending_dest_live_migration_task(uuid)

    def reconcile_migrations(self) -> None:
        """Reconcile each migration that no thread handles."""
        with self._reconciling:
            for uuid in record.all_instances():
                if uuid in self._handled:
                    continue
                self._handled.add(uuid)
                threads.spawn(self._reconcile, uuid).add_done_callback(
                    functools.partial(self._reconciled, uuid))

    def _reconcile(self, uuid: str) -> None:
        instance = reconcile.bring_to_end(self, uuid)
        if uuid in self._postponed and instance is not None:
            self._postponed.discard(uuid)
            super()._init_instance(nova_context.get_admin_context(), instance)

    def _reconciled(self, uuid: str, future) -> None:
        self._handled.discard(uuid)
        error = future.exception()
        if error is not None:
            LOG.warning('The live migration is not reconciled yet, retrying '
                        'in %(seconds)d s: %(error)s',
                        {'seconds': RECONCILE_INTERVAL_S, 'error': error},
                        instance_uuid=uuid)

    # Delete

    def terminate_instance(self, context, instance, bdms) -> None:
        """Delete an instance, a migrating one when its migration is over."""
        if not deletes.postpone(self, context, instance, DeleteType.DELETE):
            self.terminate_now(context, instance, bdms)

    def terminate_now(self, context, instance, bdms) -> None:
        super().terminate_instance(context, instance, bdms)

    def soft_delete_instance(self, context, instance) -> None:
        """Soft delete an instance, as above."""
        if not deletes.postpone(
                self, context, instance, DeleteType.SOFT_DELETE):
            self.soft_delete_now(context, instance)

    def soft_delete_now(self, context, instance) -> None:
        super().soft_delete_instance(context, instance)
