# SPDX-License-Identifier: Apache-2.0

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
