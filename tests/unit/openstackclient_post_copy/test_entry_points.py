# SPDX-License-Identifier: Apache-2.0

from importlib import metadata
import subprocess
import sys
import unittest


class EntryPointsTestCase(unittest.TestCase):

    def test_names_are_commands_of_upstream(self):
        """A hook for a command that does not exist is never called."""
        entry_points = metadata.distribution('nova-post-copy').entry_points
        commands = {entry_point.name for entry_point in
                    metadata.entry_points(group='openstack.compute.v2')}

        ours = {entry_point.group.removeprefix('openstack.cli.')
                for entry_point in entry_points
                if entry_point.group.startswith('openstack.cli.')}

        self.assertEqual({'server_migrate', 'server_migration_list',
                          'server_migration_show'}, ours)
        self.assertLessEqual(ours, commands)

    def test_needs_no_nova_and_no_novaclient(self):
        """The laptop of a user has python-openstackclient alone."""
        subprocess.run(
            [sys.executable, '-c',
             'import sys; sys.modules["nova"] = None; '
             'sys.modules["novaclient"] = None; '
             'import openstackclient_post_copy.server, '
             'openstackclient_post_copy.server_migration, '
             'openstackclient_post_copy.sdk; '
             'assert "nova_post_copy" not in sys.modules'],
            check=True)
