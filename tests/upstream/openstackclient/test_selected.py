# SPDX-License-Identifier: Apache-2.0

"""Loads unit tests of python-openstackclient, with our hooks or without.

Those of the service that we extend, and of what all commands have in common.
Commands of other services have nothing to do with us, and some of their tests
roll dice: they fail now and then, with the package or without it.
"""

import os
import pathlib
import unittest

import openstackclient

from tests.upstream import active


def load_tests(loader, tests, pattern) -> unittest.TestSuite:
    root = pathlib.Path(openstackclient.__file__).parent
    # Tests are discovered by their path, as where upstream has its sources.
    os.chdir(root.parent)
    if active.wanted():
        active.require_entry_points('openstack.cli.server_migrate')
        active.hook_unnamed_commands()
    unit = root / 'tests' / 'unit'
    suite = unittest.TestSuite(
        loader.discover(str(unit / part), top_level_dir=str(root.parent))
        for part in ('common', 'compute', 'integ'))
    suite.addTests(loader.loadTestsFromName(
        'openstackclient.tests.unit.test_shell'))
    return suite
