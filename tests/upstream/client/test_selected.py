# SPDX-License-Identifier: Apache-2.0

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
