# SPDX-License-Identifier: Apache-2.0

import fixtures
from nova.tests.fixtures import libvirt as fakelibvirt
import testtools

from nova_post_copy.virt.libvirt import flags

LIVE = fakelibvirt.VIR_MIGRATE_LIVE
POSTCOPY = fakelibvirt.VIR_MIGRATE_POSTCOPY
AUTO_CONVERGE = fakelibvirt.VIR_MIGRATE_AUTO_CONVERGE


class TestFlags(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.flags.libvirt', fakelibvirt))

    def test_with_post_copy(self):
        for given in (LIVE, LIVE | AUTO_CONVERGE, LIVE | POSTCOPY):
            self.assertEqual(LIVE | POSTCOPY, flags.with_post_copy(given))

    def test_without_post_copy(self):
        for given in (LIVE, LIVE | POSTCOPY):
            self.assertEqual(LIVE, flags.without_post_copy(given, False))

    def test_without_post_copy_auto_converge_comes_back(self):
        self.assertEqual(LIVE | AUTO_CONVERGE,
                         flags.without_post_copy(LIVE | POSTCOPY, True))
