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

"""Loads python-novaclient's unit tests, with the package or without it."""

import os
import pathlib
import unittest

import novaclient
from novaclient import client
import stevedore

from tests.upstream import active


def load_tests(loader, tests, pattern) -> unittest.TestSuite:
    root = pathlib.Path(novaclient.__file__).parent
    # Some tests open files by their path in the source tree.
    os.chdir(root.parent)
    if active.wanted():
        active.require_entry_points('novaclient.extension')
    else:
        client._make_discovery_manager = (
            lambda: stevedore.ExtensionManager.make_test_instance([]))
    return loader.discover(str(root / 'tests' / 'unit'),
                           top_level_dir=str(root.parent))
