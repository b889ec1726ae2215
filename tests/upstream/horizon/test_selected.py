# SPDX-License-Identifier: Apache-2.0

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
