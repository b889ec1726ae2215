# SPDX-License-Identifier: Apache-2.0

"""A user who changes their mind."""

import time

from lab import layout
from lab import wait
from novaclient import exceptions
from tests.lab import base

# Ten seconds and more for each half of the migration.
SLOW = 30 * layout.MIB


class AbortTest(base.Case):

    def setUp(self) -> None:
        super().setUp()
        source = self.cloud.host(base.SOURCE)
        source.limit_migration_network(SLOW)
        self.addCleanup(source.limit_migration_network, self.cloud.bandwidth)

    def _start(self):
        server = self.boot()
        pulse = self.follow(server)
        self.nova.servers.live_migrate(server, base.DESTINATION, 'auto',
                                       post_copy=True)
        return server, pulse

    def test_abort_before_the_switch(self):
        server, pulse = self._start()
        self.wait_for(server, 'running')
        wait.until(lambda: self._memory_processed(server) > 0,
                   'progress of the migration', 30)

        self.nova.server_migrations.live_migration_abort(
            server, self.migration(server)['id'])

        self.wait_for(server, 'cancelled', limit=30)
        self.assert_stayed(server, pulse)

    def _memory_processed(self, server) -> int:
        found = self.cloud.get(
            'compute', '/servers/%s/migrations' % server.id,
            microversion=base.MICROVERSION)['migrations']
        return found[0]['memory_processed_bytes'] or 0 if found else 0

    def test_abort_after_the_switch_is_refused(self):
        server, pulse = self._start()
        self.wait_for(server, 'running (post-copy)')

        refusal = self.assertRaises(
            exceptions.ClientException,
            self.nova.server_migrations.live_migration_abort, server,
            self.migration(server)['id'])

        self.assertIn(refusal.code, (400, 409))
        self.assertIn('post-copy', str(refusal))
        # The rest need not be slow.
        self.cloud.host(base.SOURCE).limit_migration_network(
            self.cloud.bandwidth)
        self.wait_for(server, 'completed')
        self.settle(server)
        time.sleep(1)
        self.assert_moved(server, pulse, base.SOURCE, base.DESTINATION, True)
