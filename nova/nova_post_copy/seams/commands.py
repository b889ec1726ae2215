# SPDX-License-Identifier: Apache-2.0

"""The seams of our commands, which no service runs.

The tests and the report check them; activation does not.
"""

from nova_post_copy.seams.seam import Kind
from nova_post_copy.seams.seam import Seam

SEAMS = (
    Seam('nova.cmd.common', 'add_command_parsers', Kind.CALLS, 'cmd.common',
         'our commands are given as Nova\'s are', 'subparsers, categories'),
    Seam('nova.cmd.common', 'print_bash_completion', Kind.CALLS,
         'cmd.common', 'our commands are given as Nova\'s are', 'categories'),
    Seam('nova.cmd.common', 'get_action_fn', Kind.CALLS, 'cmd.common',
         'our commands are given as Nova\'s are', ''),
    Seam('nova.cmd.common', 'action_description', Kind.CALLS,
         'cmd.manage, cmd.status, cmd.give_up',
         'our commands are given as Nova\'s are', 'text'),
    Seam('nova.db.main.api', 'pick_context_manager_writer', Kind.CALLS,
         'cmd.given_up', 'a decision is one transaction', 'f'),
    Seam('nova.scheduler.client.report',
         'SchedulerReportClient.move_allocations', Kind.CALLS, 'cmd.given_up',
         'a server keeps the allocations of its host',
         'context, source_consumer_uuid, target_consumer_uuid'),
    Seam('nova.scheduler.client.report',
         'SchedulerReportClient.delete_allocation_for_instance', Kind.CALLS,
         'cmd.given_up', 'a server keeps the allocations of its host',
         'context, uuid, consumer_type=, force='),
    Seam('nova.network.neutron', 'API.migrate_instance_start', Kind.CALLS,
         'cmd.given_up', 'ports keep the bindings of the server\'s host',
         'context, instance, migration'),
    Seam('nova.network.neutron', 'API.setup_networks_on_host', Kind.CALLS,
         'cmd.given_up', 'ports keep the bindings of the server\'s host',
         'context, instance, host=, teardown='),
    Seam('oslo_upgradecheck.upgradecheck', 'UpgradeCommands.check',
         Kind.OVERRIDES, 'cmd.status',
         'a compute host has no database to look into', ''),
    Seam('oslo_upgradecheck.upgradecheck', 'UpgradeCommands._get_details',
         Kind.OVERRIDES, 'cmd.status',
         'there is a line for each sentence', 'upgrade_check_result'),
    Seam('oslo_upgradecheck.upgradecheck', 'UpgradeCommands._upgrade_checks',
         Kind.ASSIGNS, 'cmd.status', 'the checks depend on the host'),
)
