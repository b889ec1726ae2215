# SPDX-License-Identifier: Apache-2.0

"""Servers move, and arrive whole."""

from tests.lab import base


class MigrationTest(base.Case):

    def _move_there_and_back(self, server, expected: bool | None,
                             **options) -> None:
        pulse = self.follow(server)
        for source, destination in ((base.SOURCE, base.DESTINATION),
                                    (base.DESTINATION, base.SOURCE)):
            self.migrate(server, destination, **options)
            self.assert_moved(server, pulse, source, destination, expected)

    def test_busy_server_moves_by_post_copy(self):
        """Pre-copy never ends with this guest, so this was post-copy."""
        server = self.boot()

        self._move_there_and_back(server, True, post_copy=True)
        self.assertIn(base.POST_COPY, self.statuses)

    def test_scheduler_chooses_the_host(self):
        server = self.boot()
        pulse = self.follow(server)

        self.nova.servers.live_migrate(server, None, 'auto', post_copy=True)

        self.wait_for(server, 'completed')
        self.assert_moved(server, pulse, base.SOURCE, base.DESTINATION, True)

    def test_calm_server_moves_by_pre_copy(self):
        self.upload_calm_guest()
        server = self.boot(image='calm', flavor='lab.tiny')

        self._move_there_and_back(server, None)

    def test_calm_server_that_may_use_post_copy_does_not(self):
        self.upload_calm_guest()
        server = self.boot(image='calm', flavor='lab.tiny')

        self._move_there_and_back(server, True, post_copy=True)

        self.assertNotIn(base.POST_COPY, self.statuses)

    def test_post_copy_false(self):
        self.upload_calm_guest()
        server = self.boot(image='calm', flavor='lab.tiny')

        self._move_there_and_back(server, False, post_copy=False)
