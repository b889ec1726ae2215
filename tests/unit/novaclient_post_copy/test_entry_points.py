# SPDX-License-Identifier: Apache-2.0

from importlib import metadata
import subprocess
import sys
import unittest

from novaclient import base
from novaclient import client


class EntryPointsTestCase(unittest.TestCase):

    def test_names_replace_the_managers_of_upstream(self):
        entry_points = metadata.distribution('nova-post-copy').entry_points

        self.assertEqual(
            {'servers', 'server_migrations', 'migrations'},
            {entry_point.name for entry_point in
             entry_points.select(group='novaclient.extension')})

    def test_novaclient_finds_them(self):
        found = {extension.name: extension.module.__name__
                 for extension in client.discover_extensions('2.96')}

        for name in ('servers', 'server_migrations', 'migrations'):
            self.assertEqual('novaclient_post_copy.' + name, found[name])

    def test_needs_no_nova(self):
        """The laptop of a user has novaclient alone."""
        subprocess.run(
            [sys.executable, '-c',
             'import sys; sys.modules["nova"] = None; '
             'import novaclient_post_copy.servers, '
             'novaclient_post_copy.migrations, '
             'novaclient_post_copy.server_migrations; '
             'assert "nova_post_copy" not in sys.modules'],
            check=True)

    def setUp(self):
        super().setUp()
        # Loading registers hooks for the whole process.
        hooks = base.HookableMixin._hooks_map
        saved = {kind: list(functions) for kind, functions in hooks.items()}
        self.addCleanup(hooks.update, saved)
        self.addCleanup(hooks.clear)
