# SPDX-License-Identifier: Apache-2.0

"""The seams of nova-conductor."""

from nova_post_copy.seams.seam import Kind
from nova_post_copy.seams.seam import Seam

_MANAGER = 'nova.conductor.manager'
_TASK = 'nova.conductor.tasks.live_migrate'

SEAMS = (
    Seam('nova.service', 'SERVICE_MANAGERS', Kind.ASSIGNS, 'activate',
         'our manager is the one that nova-conductor loads'),
    Seam('nova.service', '_TrackingEndpointWrapper', Kind.CALLS,
         'conductor.manager',
         'a shutdown waits for our requests as for upstream\'s',
         'endpoint, tracker'),
    Seam(_MANAGER, 'ConductorManager.__init__', Kind.OVERRIDES,
         'conductor.manager',
         'the column is checked before workers are forked',
         '*args, **kwargs'),
    Seam(_MANAGER, 'ConductorManager.post_start_hook', Kind.OVERRIDES,
         'conductor.manager', 'our RPC topic is served beside upstream\'s',
         ''),
    Seam(_MANAGER, 'ConductorManager.set_shutdown_in_progress',
         Kind.OVERRIDES, 'conductor.manager',
         'our topic takes no more requests when the service stops', ''),
    Seam(_MANAGER, 'ConductorManager.graceful_shutdown', Kind.OVERRIDES,
         'conductor.manager', 'a shutdown waits for our topic', 'timeout'),
    Seam(_MANAGER, 'ComputeTaskManager.__init__', Kind.CALLS,
         'conductor.task_manager',
         'there is one manager for each value of post_copy', ''),
    Seam(_MANAGER, 'ComputeTaskManager.live_migrate_instance', Kind.CALLS,
         'conductor.endpoint', 'upstream does the work of a request',
         'context, instance, scheduler_hint, block_migration, '
         'disk_over_commit, request_spec'),
    Seam(_MANAGER, 'ComputeTaskManager._build_live_migrate_task',
         Kind.OVERRIDES, 'conductor.task_manager',
         'the migration keeps what the request said, and our task carries it '
         'out',
         'context, instance, destination, block_migration, '
         'disk_over_commit, migration, request_spec='),
    Seam(_MANAGER, 'ComputeTaskManager._live_migrate', Kind.OVERRIDES,
         'conductor.task_manager',
         'the event of a failure names hosts, the fault does not',
         '*args, **kwargs'),
    Seam(_MANAGER, 'ComputeTaskManager.compute_rpcapi', Kind.READS,
         'conductor.task_manager', 'handed to our task'),
    Seam(_MANAGER, 'ComputeTaskManager.servicegroup_api', Kind.READS,
         'conductor.task_manager', 'handed to our task'),
    Seam(_MANAGER, 'ComputeTaskManager.query_client', Kind.READS,
         'conductor.task_manager', 'handed to our task'),
    Seam(_MANAGER, 'ComputeTaskManager.report_client', Kind.READS,
         'conductor.task_manager', 'handed to our task'),
    Seam(_TASK, 'LiveMigrationTask.__init__', Kind.OVERRIDES,
         'conductor.task', 'our task keeps what the request said',
         'context, instance, destination, block_migration, '
         'disk_over_commit, migration, compute_rpcapi, servicegroup_api, '
         'query_client, report_client, request_spec='),
    Seam(_TASK, 'LiveMigrationTask._execute', Kind.OVERRIDES,
         'conductor.task',
         'the hosts are asked whether they can take part, before anything '
         'moves', ''),
    Seam(_TASK, 'LiveMigrationTask._get_request_spec_for_select_destinations',
         Kind.OVERRIDES, 'conductor.task',
         'the scheduler chooses among hosts with our trait',
         'attempted_hosts='),
    Seam(_TASK, 'LiveMigrationTask._call_livem_checks_on_host',
         Kind.OVERRIDES, 'conductor.task',
         'each host that the scheduler chooses is asked',
         'destination, provider_mapping'),
    Seam(_TASK, 'LiveMigrationTask._find_destination', Kind.OVERRIDES,
         'conductor.task', 'a failure says why each host was turned down',
         ''),
    Seam(_TASK, 'LiveMigrationTask.rollback', Kind.OVERRIDES,
         'conductor.task', 'a failure leaves the server as it was', 'ex'),
    Seam(_TASK, 'LiveMigrationTask.compute_rpcapi', Kind.ASSIGNS,
         'conductor.task',
         'an error after the request was sent to the source is no failure'),
    Seam(_TASK, 'LiveMigrationTask._check_host_is_up', Kind.CALLS,
         'conductor.task', 'a host that is down cannot answer', 'host'),
    Seam(_TASK, 'LiveMigrationTask.source', Kind.READS, 'conductor.task',
         'the host that is asked whether the server can leave it'),
    Seam('nova.objects.base', 'NovaObject._context', Kind.READS,
         'conductor.sign_of_life',
         'a thread that touches a migration needs its context'),
    Seam('nova.db.main.api', 'action_event_finish', Kind.CALLS,
         'conductor.endpoint', 'an event that succeeded gets details',
         'context, values'),
)
