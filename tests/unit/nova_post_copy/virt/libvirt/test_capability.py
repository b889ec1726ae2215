# SPDX-License-Identifier: Apache-2.0

from unittest import mock

from nova import test

from nova_post_copy.virt.libvirt import capability


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

    def test_parallel_connections(self):
        self.flags(live_migration_parallel_connections=2, group='libvirt')
        self._refused('older than 10.1.0')
        self.assertEqual(
            [], capability.source_refusals(_host(qemu=(10, 1, 0))))

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

    def test_vhost_user_with_support(self):
        self.flags(vhost_user=True, group='post_copy')
        self.assertEqual([], self._refusals(
            '<devices><interface type="vhostuser"/></devices>'))
