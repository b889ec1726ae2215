# SPDX-License-Identifier: Apache-2.0

from unittest import mock

import nova.conf
from nova import test

from nova_post_copy.virt.libvirt import capability

CONF = nova.conf.CONF


def _host(libvirt=(9, 0, 0), qemu=(7, 2, 0)):
    host = mock.Mock()
    host.has_min_version = lambda lv_ver=None, hv_ver=None: (
        (lv_ver is None or libvirt >= lv_ver) and
        (hv_ver is None or qemu >= hv_ver))
    return host


class TestHostRefusals(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.userfaultfd = self.useFixture(test.fixtures.MockPatch(
            'nova_post_copy.virt.libvirt.userfaultfd.refusal',
            return_value=None)).mock

    def test_capable(self):
        self.assertEqual([], capability.source_refusals(_host()))
        self.assertEqual([], capability.destination_refusals(_host()))

    def _refused(self, words, host=None):
        for refusals in (capability.source_refusals(host or _host()),
                         capability.destination_refusals(host or _host())):
            self.assertEqual(1, len(refusals), refusals)
            self.assertIn(words, refusals[0])

    def test_not_allowed(self):
        self.flags(allowed=False, group='post_copy')
        self._refused('operator does not allow')

    def test_virt_type(self):
        self.flags(virt_type='lxc', group='libvirt')
        self._refused('virt_type is lxc')

    def test_old_libvirt(self):
        self._refused('older than 8.5.0', _host(libvirt=(8, 4, 9)))

    def test_tunnelled(self):
        self.flags(live_migration_tunnelled=True, group='libvirt')
        self._refused('tunnel')

    def test_libvirt_that_a_resume_crashes(self):
        # As a destination only.
        for libvirt, refused in (((11, 1, 9), 0), ((11, 2, 0), 1),
                                 ((11, 3, 9), 1), ((11, 4, 0), 0)):
            host = _host(libvirt=libvirt)
            self.assertEqual([], capability.source_refusals(host))
            self.assertEqual(
                refused, len(capability.destination_refusals(host)), libvirt)
            self.assertEqual(
                bool(refused), capability.resume_refusal(host) is not None)
            self.assertEqual(refused, len(capability.recovery_limits(host)))

    def test_crash_is_accepted(self):
        self.flags(accepted_defects=['libvirt-resume-crash'],
                   group='post_copy')
        host = _host(libvirt=(11, 3, 0))
        self.assertEqual([], capability.destination_refusals(host))
        # It crashes all the same.
        self.assertIn('11.3 crash', capability.resume_refusal(host))

    def test_crash_is_fixed_by_the_distribution(self):
        self.flags(fixed_defects=['libvirt-resume-crash'], group='post_copy')
        host = _host(libvirt=(11, 3, 0))
        self.assertEqual([], capability.destination_refusals(host))
        self.assertIsNone(capability.resume_refusal(host))
        self.assertEqual([], capability.recovery_limits(host))

    def test_libvirt_that_refuses_some_resumes(self):
        for libvirt, limits in (((8, 5, 0), 1), ((8, 10, 0), 1),
                                ((9, 0, 0), 0)):
            host = _host(libvirt=libvirt)
            self.assertEqual([], capability.destination_refusals(host))
            self.assertEqual(limits, len(capability.recovery_limits(host)))

    def test_name_that_is_no_defect(self):
        self.assertRaises(ValueError, CONF.set_override, 'fixed_defects',
                          ['libvirt-crash'], 'post_copy')

    def test_parallel_connections(self):
        self.flags(live_migration_parallel_connections=2, group='libvirt')
        self._refused('older than 10.1.0')
        self.assertEqual(
            [], capability.source_refusals(_host(qemu=(10, 1, 0))))
        self.flags(fixed_defects=['qemu-parallel'], group='post_copy')
        self.assertEqual([], capability.source_refusals(_host()))

    def test_file_backed_memory_is_for_the_destination(self):
        self.flags(file_backed_memory=1024, group='libvirt')
        self.assertEqual([], capability.source_refusals(_host()))
        self.assertIn('file-backed',
                      capability.destination_refusals(_host())[0])

    def test_userfaultfd_is_for_the_destination(self):
        self.userfaultfd.return_value = 'not permitted'
        self.assertEqual([], capability.source_refusals(_host()))
        self.assertEqual(['not permitted'],
                         capability.destination_refusals(_host()))

    def test_all_reasons_at_once(self):
        self.flags(allowed=False, group='post_copy')
        self.flags(live_migration_tunnelled=True, group='libvirt')
        self.assertEqual(2, len(capability.source_refusals(_host())))


class TestGuestRefusals(test.NoDBTestCase):

    def _refusals(self, xml):
        return capability.guest_refusals('<domain>%s</domain>' % xml)

    def test_ordinary_guest(self):
        self.assertEqual([], self._refusals(
            '<memoryBacking><source type="memfd"/><access mode="shared"/>'
            '</memoryBacking><devices><interface type="bridge"/>'
            '<memory model="dimm"/></devices>'))

    def test_sriov_interface_is_detached_by_nova(self):
        self.assertEqual([], self._refusals(
            '<devices><interface type="hostdev"/></devices>'))

    def test_refused(self):
        for words, xml in (
                ('VFIO', '<devices><hostdev type="mdev"/></devices>'),
                ('VFIO', '<devices><hostdev type="pci"/></devices>'),
                ('persistent memory',
                 '<devices><memory model="nvdimm"/></devices>'),
                ('file-backed',
                 '<memoryBacking><source type="file"/></memoryBacking>'),
                ('vhost-user',
                 '<devices><interface type="vhostuser"/></devices>'),
                ('vhost-user',
                 '<devices><filesystem><driver type="virtiofs"/>'
                 '</filesystem></devices>')):
            refusals = self._refusals(xml)
            self.assertEqual(1, len(refusals), xml)
            self.assertIn(words, refusals[0])

    def test_machine_type_with_parallel_connections(self):
        # Each with a machine type; the last two do not tell the version.
        expected = (('pc-q35-7.2', 1), ('pc-i440fx-6.2', 1), ('virt-8.0', 0),
                    ('pc-q35-10.0', 0), ('pc-q35-rhel9.2.0', 1), ('q35', 1))
        for machine, refused in expected:
            xml = '<os><type machine="%s">hvm</type></os>' % machine
            self.assertEqual([], self._refusals(xml))
            self.flags(live_migration_parallel_connections=4, group='libvirt')
            self.assertEqual(refused, len(self._refusals(xml)), machine)
            self.flags(fixed_defects=['machine-type-parallel'],
                       group='post_copy')
            self.assertEqual([], self._refusals(xml))
            self.flags(fixed_defects=[], group='post_copy')
            self.flags(live_migration_parallel_connections=1, group='libvirt')

    def test_vhost_user_with_support(self):
        self.flags(vhost_user=True, group='post_copy')
        self.assertEqual([], self._refusals(
            '<devices><interface type="vhostuser"/></devices>'))
