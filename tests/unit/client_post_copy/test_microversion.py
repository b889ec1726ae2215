# SPDX-License-Identifier: Apache-2.0

import testtools

from client_post_copy import microversion
from nova_post_copy.api import microversion as nova


class MicroversionTestCase(testtools.TestCase):

    def test_sides_agree(self):
        self.assertEqual(nova.VERSION, microversion.API_VERSION)

    def test_not_offered(self):
        self.assertEqual(
            "Choosing post-copy for a live migration needs compute API "
            "version '2.105', which clouds with nova-post-copy have; this "
            "cloud offers versions '2.1' to '2.104'. No migration was "
            "requested.", microversion.not_offered(('2.1', '2.104')))
        self.assertIn("; this cloud offers no microversions. No migration",
                      microversion.not_offered(None))

    def test_not_selected(self):
        self.assertEqual(
            "Watching a live migration needs compute API version '2.105', "
            "which clouds with nova-post-copy have; version '2.96' is "
            "selected. Leave out --version, to have the version negotiated. "
            "No migration was requested.", microversion.not_selected(
                '2.96', '--version', microversion.WATCHING))
