# SPDX-License-Identifier: Apache-2.0

"""What of upstream's tests is run, and why that.

A module is run as a whole where it is about something that we extend, and in
part where post-copy is one subject of many: then only the tests with the
expression in their class and name. Left out are tests that read files of
Nova's source tree that are not in its wheel: API and notification samples.
"""

import importlib
import re
from typing import NamedTuple
import unittest


class Selected(NamedTuple):
    module: str
    only: str = ''

    def tests(self) -> list[unittest.TestCase]:
        """:raises ImportError: when the module cannot be imported"""
        importlib.import_module(self.module)
        tests = _flatten(unittest.defaultTestLoader.loadTestsFromName(
            self.module))
        return [test for test in tests if re.search(
            self.only, test.id().removeprefix(self.module))]


def load(selection: tuple[Selected, ...]) -> unittest.TestSuite:
    return unittest.TestSuite(
        test for selected in selection for test in selected.tests())


def _flatten(suite: unittest.TestSuite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from _flatten(test)
        else:
            yield test


LIVE_MIGRATION = '[Ll]ive_?[Mm]igrat'
MIGRATION = '[Mm]igrat'

_API = 'nova.tests.unit.api.openstack.'
_UNIT = 'nova.tests.unit.'
_FUNCTIONAL = 'nova.tests.functional.'

UNIT = (
    # Microversion, version document, schemas, the three controllers.
    Selected(_API + 'test_api_version_request'),
    Selected(_API + 'test_wsgi'),
    Selected(_API + 'compute.test_microversions'),
    Selected(_API + 'compute.test_migrate_server'),
    Selected(_API + 'compute.test_migrations'),
    Selected(_API + 'compute.test_schemas'),
    Selected(_API + 'compute.test_server_migrations'),
    Selected(_API + 'compute.test_versions'),
    # Policies.
    Selected(_UNIT + 'policies.test_migrate_server'),
    Selected(_UNIT + 'policies.test_migrations'),
    Selected(_UNIT + 'policies.test_server_migrations'),
    Selected(_UNIT + 'test_policy'),
    # The Migration object, its table, its notifications.
    Selected(_UNIT + 'objects.test_migrate_data'),
    Selected(_UNIT + 'objects.test_migration'),
    Selected(_UNIT + 'objects.test_objects'),
    Selected(_UNIT + 'notifications.objects.test_notification'),
    Selected(_UNIT + 'db.main.test_api', '[Mm]igrat|Archive'),
    # Conductor and compute, where they live migrate or start.
    Selected(_UNIT + 'test_service'),
    Selected(_UNIT + 'conductor.tasks.test_live_migrate'),
    Selected(_UNIT + 'conductor.test_conductor', MIGRATION),
    Selected(_UNIT + 'compute.test_api', LIVE_MIGRATION),
    Selected(_UNIT + 'compute.test_compute', LIVE_MIGRATION),
    Selected(_UNIT + 'compute.test_compute_mgr', MIGRATION),
    Selected(_UNIT + 'compute.test_rpcapi'),
    # The libvirt driver.
    Selected(_UNIT + 'virt.test_virt'),
    Selected(_UNIT + 'virt.libvirt.test_driver', MIGRATION + '|provider_tree'),
    Selected(_UNIT + 'virt.libvirt.test_guest', MIGRATION + '|Job'),
    Selected(_UNIT + 'virt.libvirt.test_migration'),
)

FUNCTIONAL = (
    Selected(_FUNCTIONAL + 'db.test_archive', 'rows$|purge_all'),
    # REST to libvirt, all services in one process.
    Selected(_FUNCTIONAL + 'compute.test_live_migration'),
    Selected(_FUNCTIONAL + 'compute.test_migration_list'),
    Selected(_FUNCTIONAL + 'libvirt.test_live_migration'),
    Selected(_FUNCTIONAL + 'libvirt.test_numa_live_migration',
             'Migration(Positive|Negative|Rollback)Tests'),
    Selected(_FUNCTIONAL + 'libvirt.test_pci_sriov_servers',
             r'live_migrate_(VF_success|server_with_\w+)$'),
    Selected(_FUNCTIONAL + 'libvirt.test_vgpu', r'Tests\.\w*live_migrat'),
    Selected(_FUNCTIONAL + 'libvirt.test_vtpm',
             r'ServersTest\.test_live_migrate_server(_\w+host(_rollback)?)?$'),
    # Without the classes that repeat the tests of another one, with other
    # resources.
    Selected(_FUNCTIONAL + 'test_servers',
             r'(MovingTests|Abort|Conflict\w+|V280)\.\w*live_migrat'),
) + tuple(
    # Bugs of live migration that upstream has repaired.
    Selected(_FUNCTIONAL + 'regressions.test_bug_' + number) for number in (
        '1595962', '1628606', '1718455', '1741364', '1888395', '1889108',
        '1899835', '1939545', '1944619', '2044235', '2080531', '2139351',
        '2143972', '2152697', '2153425'))

HORIZON = tuple(
    Selected('openstack_dashboard.dashboards.admin.' + module) for module in (
        'instances.tests', 'hypervisors.tests', 'hypervisors.compute.tests'))
