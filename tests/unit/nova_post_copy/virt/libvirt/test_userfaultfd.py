# SPDX-License-Identifier: Apache-2.0

import os
from unittest import mock

import fixtures
import testtools

from nova_post_copy.virt.libvirt import userfaultfd

CAPABILITIES = '''<capabilities><host>
<secmodel><model>apparmor</model></secmodel>
<secmodel><model>dac</model>
  <baselabel type='kvm'>+%(uid)d:+%(gid)d</baselabel>
</secmodel></host></capabilities>'''


class TestRefusal(testtools.TestCase):

    def setUp(self):
        super().setUp()
        folder = self.useFixture(fixtures.TempDir())
        self.sysctl = folder.join('sysctl')
        self.device = folder.join('userfaultfd')
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.userfaultfd.SYSCTL', self.sysctl))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.userfaultfd.DEVICE', self.device))

    def _sysctl(self, value):
        with open(self.sysctl, 'w') as sysctl:
            sysctl.write('%s\n' % value)

    def _device(self, mode):
        with open(self.device, 'w'):
            os.chmod(self.device, mode)

    def _permitted(self, qemu=(7, 2, 0), uid=None, gid=None):
        host = mock.Mock()
        host.has_min_version = lambda hv_ver: qemu >= hv_ver
        host.get_connection().getCapabilities.return_value = CAPABILITIES % {
            'uid': os.getuid() if uid is None else uid,
            'gid': os.getgid() if gid is None else gid}
        return userfaultfd.refusal(host) is None

    def test_sysctl(self):
        self._sysctl(1)
        self.assertTrue(self._permitted())
        self._sysctl(0)
        self.assertFalse(self._permitted())

    def test_kernel_without_sysctl(self):
        self.assertTrue(self._permitted())

    def test_device_needs_qemu_8(self):
        self._sysctl(0)
        self._device(0o600)
        self.assertFalse(self._permitted())
        self.assertTrue(self._permitted(qemu=(8, 0, 0)))

    def test_device_of_another_user(self):
        self._sysctl(0)
        for mode, permitted in ((0o600, False), (0o660, False),
                                (0o604, False), (0o606, True)):
            self._device(mode)
            self.assertEqual(permitted, self._permitted(
                qemu=(8, 2, 0), uid=os.getuid() + 1, gid=os.getgid() + 1))

    def test_device_of_the_group(self):
        self._sysctl(0)
        self._device(0o660)
        self.assertTrue(self._permitted(qemu=(8, 2, 0), uid=os.getuid() + 1))

    def test_no_device(self):
        self._sysctl(0)
        self.assertFalse(self._permitted(qemu=(8, 2, 0)))

    def test_says_what_to_do(self):
        self._sysctl(0)
        host = mock.Mock()
        host.has_min_version.return_value = False
        self.assertIn('set sysctl vm.unprivileged_userfaultfd = 1',
                      userfaultfd.refusal(host))
