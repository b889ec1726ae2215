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

"""Loads Horizon's tests of the views that have our forms."""

import unittest

from tests import horizon
from tests.horizon import cloud
from tests.upstream import active
from tests.upstream import selection


def load_tests(loader, tests, pattern) -> unittest.TestSuite:
    if active.wanted():
        horizon.prepare()
        # With the checkbox. What else upstream's tests do not expect to be
        # sent still makes them fail.
        cloud.start(real_http=True)
    else:
        horizon.prepare('openstack_dashboard.test.settings')
    return selection.load(selection.HORIZON)
