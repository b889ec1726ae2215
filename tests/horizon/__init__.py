# SPDX-License-Identifier: Apache-2.0

"""Horizon as a Django project, for our unit tests and for upstream's own.

They need the project to be set up before the first of them is imported, and a
test database: Django's own test runner does that, and here another one runs.
"""

import os

import django
from django.test import runner
from django.test import utils


def prepare(settings: str = 'tests.horizon.settings') -> None:
    """Set up the process for tests of Horizon, once."""
    if 'DJANGO_SETTINGS_MODULE' in os.environ:
        return
    os.environ['DJANGO_SETTINGS_MODULE'] = settings
    django.setup()
    utils.setup_test_environment()
    # In memory, it ends with the process.
    runner.DiscoverRunner(verbosity=0).setup_databases()
