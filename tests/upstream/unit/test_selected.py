# SPDX-License-Identifier: Apache-2.0

"""Loads unit tests of Nova, with the package active or without it."""

import unittest

from tests.upstream import active
from tests.upstream import selection


def load_tests(loader, tests, pattern) -> unittest.TestSuite:
    # Applies eventlet's monkey patch, which has to come before the rest.
    import nova.tests.unit  # noqa

    active.prepare()
    return selection.load(selection.UNIT)
