# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

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
