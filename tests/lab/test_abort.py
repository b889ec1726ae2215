# SPDX-License-Identifier: Apache-2.0

"""A user who changes their mind."""

from lab import layout
from novaclient import exceptions
from tests.lab import base

# Ten seconds and more for each half of the migration.
SLOW_BYTES_PER_S = 30 * layout.MIB


class AbortTest(base.Case):

    def setUp(self) -> None:
        super().setUp()
        self.slow_down(SLOW_BYTES_PER_S)

    def _start(self, **options):
        server = self.boot(**options)
        pulse = self.follow(server)
        self.nova.servers.live_migrate(server, base.DESTINATION, 'auto',
                                       post_copy=True)
        return server, pulse

    def test_abort_before_the_switch(self):
        self.upload_filled_guest()
        server, pulse = self._start(image='filled')
        migration = self.wait_for_copy(server)

        self.nova.server_migrations.live_migration_abort(
            server, migration['id'])

        self.wait_for(server, 'cancelled', limit=30)
        self.assert_stayed(server, pulse)

    def test_abort_after_the_switch_is_refused(self):
        server, pulse = self._start()
        self.wait_for_switch(server)

        refusal = self.assertRaises(
            exceptions.ClientException,
            self.nova.server_migrations.live_migration_abort, server,
            self.migration(server)['id'])

        self.assertIn(refusal.code, (400, 409))
        self.assertIn('post-copy', str(refusal))
        self.speed_up()
        self.wait_for(server, 'completed')
        self.assert_moved(server, pulse, base.SOURCE, base.DESTINATION, True)
