# SPDX-License-Identifier: Apache-2.0

"""Loads openstacksdk's unit tests of compute and of connections.

With the package all of them use our proxy and our resources, as after a
vendor hook.
"""

import os
import pathlib
import unittest

import openstack

from tests.upstream import active


def load_tests(loader, tests, pattern) -> unittest.TestSuite:
    root = pathlib.Path(openstack.__file__).parent
    # The tests open files by their path in the source tree.
    os.chdir(root.parent)
    if active.wanted():
        active.require_entry_points('openstack.cli.server_migrate')
        active.extend_every_connection()
    suite = loader.discover(str(root / 'tests' / 'unit' / 'compute'),
                            top_level_dir=str(root.parent))
    suite.addTests(loader.loadTestsFromName(
        'openstack.tests.unit.test_connection'))
    return suite
