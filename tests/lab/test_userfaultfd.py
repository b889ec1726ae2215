# SPDX-License-Identifier: Apache-2.0

"""A destination that does not let QEMU use userfaultfd."""

from nova_post_copy import traits
from novaclient import exceptions
from tests.lab import base

SYSCTL = 'vm.unprivileged_userfaultfd'


class UserfaultfdTest(base.Case):

    def _set(self, value: str) -> None:
        """Set the sysctl, and let the destination find out."""
        self.cloud.set_sysctl(SYSCTL, value)
        self.cloud.host(base.DESTINATION).restart_compute()
        self.cloud.wait_for_compute(base.DESTINATION)

    def setUp(self) -> None:
        super().setUp()
        self.addCleanup(self._set, '1')
        self._set('0')

    def test_named_destination_is_refused_at_once(self):
        server = self.boot()
        pulse = self.follow(server)

        refusal = self.assertRaises(
            exceptions.Conflict, self.nova.servers.live_migrate, server,
            base.DESTINATION, 'auto', post_copy=True)

        self.assertIn(SYSCTL, str(refusal))
        self.assert_stayed(server, pulse)
        self.assertIsNone(self.migration(server))

    def test_scheduler_does_not_choose_it(self):
        server = self.boot()
        pulse = self.follow(server)

        self.nova.servers.live_migrate(server, None, 'auto', post_copy=True)

        self.wait_for(server, 'error')
        self.assert_stayed(server, pulse)
        failed, *_others = self.finished(server, result='Error')
        self.assertIn(traits.POST_COPY, failed['details'])
