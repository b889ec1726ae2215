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

"""Loads functional tests of Nova, with the package active or without it."""

import os
import unittest

from tests.upstream import active
from tests.upstream import selection


def load_tests(loader, tests, pattern) -> unittest.TestSuite:
    # With eventlet a worker has been seen to hang in a live migration, on a
    # busy machine. Import acts on it, so it has to come first.
    os.environ['OS_NOVA_DISABLE_EVENTLET_PATCHING'] = 'true'
    import nova.tests.functional  # noqa

    active.prepare()
    return selection.load(selection.FUNCTIONAL)
