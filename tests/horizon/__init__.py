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
