# SPDX-License-Identifier: Apache-2.0

"""The seams of nova-compute, without those of the driver.

Those of the manager are checked when nova-compute loads it: upstream's module
reads ``nova.conf`` at import, so it is not imported earlier.
"""

from nova_post_copy.seams.seam import Kind
from nova_post_copy.seams.seam import Seam

_MANAGER = 'nova.compute.manager'

SEAMS = (
    Seam('nova.service', 'SERVICE_MANAGERS', Kind.ASSIGNS, 'activate',
         'our manager is the one that nova-compute loads'),
    Seam('nova.virt', '__path__', Kind.ASSIGNS, 'activate',
         'Nova finds compute_driver = post_copy.LibvirtDriver'),
    Seam('nova.conductor.rpcapi',
         'ConductorAPI.object_class_action_versions', Kind.WRAPS,
         'activate, objects.indirection',
         'a conductor that does not know our Migration is asked again',
         'context, objname, objmethod, object_versions, args, kwargs'),
)

MANAGER = (
    Seam(_MANAGER, 'ComputeManager.__init__', Kind.OVERRIDES,
         'compute.manager', 'the manager keeps which migrations are cared for',
         'compute_driver=, *args, **kwargs'),
    Seam(_MANAGER, 'ComputeManager.additional_endpoints', Kind.READS,
         'compute.manager', 'our RPC namespace is served'),
    Seam(_MANAGER, 'ComputeManager.live_migration', Kind.OVERRIDES,
         'compute.manager', 'a durable record is written on the source',
         'context, dest, instance, block_migration, migration, migrate_data'),
    Seam(_MANAGER, 'ComputeManager._start_recorded_task', Kind.OVERRIDES,
         'compute.manager', 'the end of a migration\'s thread is detected',
         'executor_type, task_name, instance, context, func, *args, '
         '**kwargs'),
    Seam(_MANAGER, 'ComputeManager._post_live_migration_update_host',
         Kind.OVERRIDES, 'compute.manager, compute.reconcile',
         'the last steps of a migration can be repeated until all succeed',
         'ctxt, instance, dest, block_migration=, migrate_data=, '
         'source_bdms='),
    Seam(_MANAGER, 'ComputeManager._post_live_migration', Kind.CALLS,
         'compute.manager',
         'the last steps of a migration, whose errors we need to see',
         'ctxt, instance, dest, block_migration, migrate_data, source_bdms'),
    Seam(_MANAGER, 'ComputeManager._rollback_live_migration',
         Kind.OVERRIDES,
         'compute.manager, compute.reconcile, compute.shut_down',
         'a fault says why the migration failed, and the record is closed',
         'context, instance, dest, migrate_data=, migration_status=, '
         'source_bdms=, pre_live_migration='),
    Seam(_MANAGER, 'ComputeManager._do_post_live_migration_at_destination',
         Kind.OVERRIDES, 'compute.shut_down',
         'a server that has shut itself down arrives as stopped',
         'context, instance, block_migration'),
    Seam(_MANAGER, 'ComputeManager._init_instance', Kind.OVERRIDES,
         'compute.manager', 'a restart reconciles what has not finished',
         'context, instance'),
    Seam(_MANAGER, 'ComputeManager.post_start_hook', Kind.OVERRIDES,
         'compute.manager', 'migrations are reconciled after the start', ''),
    Seam(_MANAGER, 'ComputeManager.terminate_instance', Kind.OVERRIDES,
         'compute.manager',
         'a server that migrates is deleted once the migration has ended',
         'context, instance, bdms'),
    Seam(_MANAGER, 'ComputeManager.live_migration_abort', Kind.CALLS,
         'compute.manager', 'a delete aborts the migration first',
         'context, instance, migration_id'),
    Seam(_MANAGER, 'ComputeManager._pending_dest_live_migrations',
         Kind.READS, 'compute.manager',
         'the arrivals that a shutdown of the destination waits for'),
    Seam(_MANAGER, 'ComputeManager._end_pending_dest_live_migration_task',
         Kind.CALLS, 'compute.manager',
         'the arrival of a lost server has ended', 'instance_uuid'),
    Seam(_MANAGER, 'ComputeManager._delete_allocation_after_move',
         Kind.CALLS, 'compute.reconcile',
         'what the migration holds in placement is released',
         'context, instance, migration'),
    Seam(_MANAGER, 'ComputeManager._revert_allocation', Kind.CALLS,
         'compute.reconcile',
         'what the migration holds in placement goes back to the server',
         'context, instance, migration'),
    Seam(_MANAGER, 'ComputeManager._get_compute_info', Kind.CALLS,
         'compute.reconcile', 'a lost server is recorded on its new node',
         'context, host'),
    Seam(_MANAGER, 'ComputeManager._remove_remote_volume_connections',
         Kind.CALLS, 'compute.reconcile',
         'the destination of a migration that did not start gives back '
         'its volumes', 'context, dest, bdms, instance'),
    Seam(_MANAGER, 'ComputeManager._get_instance_block_device_info',
         Kind.CALLS, 'compute.leftovers',
         'what a lost server has left is removed',
         'context, instance, bdms='),
    Seam('nova.network.neutron', 'API.migrate_instance_start', Kind.CALLS,
         'compute.reconcile, migration.link',
         'the network is moved to the destination',
         'context, instance, migration'),
    Seam('nova.notifications.objects.base', 'EventType.VERSION',
         Kind.OVERRIDES, 'notifications',
         'upstream\'s list of actions is closed'),
    Seam('nova.notifications.objects.base', 'EventType.fields',
         Kind.OVERRIDES, 'notifications',
         'upstream\'s list of actions is closed'),
    Seam('nova.notifications.objects.base', 'NotificationBase.VERSION',
         Kind.OVERRIDES, 'notifications', 'a notification of our own'),
    Seam('nova.notifications.objects.base', 'NotificationBase.fields',
         Kind.OVERRIDES, 'notifications', 'a notification of our own'),
)
