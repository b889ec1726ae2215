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
         'cmd.manage, cmd.status', 'our commands are given as Nova\'s are',
         'text'),
    Seam('oslo_upgradecheck.upgradecheck', 'UpgradeCommands.check',
         Kind.OVERRIDES, 'cmd.status',
         'a compute host has no database to look into', ''),
    Seam('oslo_upgradecheck.upgradecheck', 'UpgradeCommands._get_details',
         Kind.OVERRIDES, 'cmd.status',
         'there is a line for each sentence', 'upgrade_check_result'),
    Seam('oslo_upgradecheck.upgradecheck', 'UpgradeCommands._upgrade_checks',
         Kind.ASSIGNS, 'cmd.status', 'the checks depend on the host'),
)
