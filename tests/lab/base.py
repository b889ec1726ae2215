# SPDX-License-Identifier: Apache-2.0

"""What the tests in the lab have in common: servers, requests, the proof.

They need the cloud with nova-post-copy and with ports, and take turns in it:
``python -m lab test`` brings it up.
"""

import pathlib
import tempfile
import time

from lab.cloud import cloud as lab_cloud
from lab.cloud import speed
from lab import guest
from lab.instruments import heartbeat
from lab.instruments import last_step
from lab.instruments import proof
from lab import layout
from lab import wait
import testtools

SOURCE, DESTINATION = (host.name for host in layout.HOSTS)
MICROVERSION = '2.105'
POST_COPY = 'running (post-copy)'


class Case(testtools.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.cloud = lab_cloud.Cloud(ports=True, say=lambda text: None)
        if not self.cloud.is_up():
            self.fail('the lab is not up; "python -m lab test" runs these '
                      'tests in a lab of their own')
        speed.refresh(rounds=1)
        self.nova = self.cloud.nova()
        self.statuses: set[str] = set()     # that migrations were seen in

    def upload_calm_guest(self) -> None:
        """Upload the image ``calm``: so little to copy that pre-copy ends."""
        self._upload('calm', working_set_mib=8, pace_mib=80)

    def upload_filled_guest(self) -> None:
        """Upload the image ``filled``: pre-copy takes time, and is enough.

        Of a guest that is hot all over, a switch may come at any moment: so
        nobody can be sure to abort it in pre-copy.
        """
        self._upload('filled', working_set_mib=4, pace_mib=80, filled_mib=400)

    def _upload(self, name: str, **options: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'image')
            guest.build_image(path, **options)
            self.cloud.upload_image(name, path)

    def boot(self, host: str = SOURCE, **options):
        """Boot a server; it is deleted after the test."""
        server = self.cloud.boot(self.id().rpartition('.')[2][:60], host,
                                 **options)
        self.addCleanup(self.cloud.delete, server)
        return server

    def follow(self, server) -> heartbeat.Heartbeat:
        """Listen to the guest of :mod:`lab.guest` until it is at work."""
        pulse = heartbeat.Heartbeat()
        self.addCleanup(pulse.stop)
        pulse.follow(self.cloud.serial_address(server))
        wait.until(lambda: pulse.rate() > 0, 'heartbeat of the guest', 60)
        return pulse

    def migration(self, server) -> dict | None:
        """Return the newest migration of a server, as the API shows it."""
        found = self.cloud.get(
            'compute', '/os-migrations?instance_uuid=%s&limit=1' % server.id,
            microversion=MICROVERSION)['migrations']
        return found[0] if found else None

    def wait_for(self, server, *statuses: str, limit: float = 90,
                 host: str | None = None) -> dict:
        """Wait until the newest migration has one of these statuses.

        :param host: what is not a migration to this host is an older one
        """
        def reached():
            migration = self.migration(server)
            if (migration is None
                    or host and migration['dest_compute'] != host):
                return None
            status = migration['status']
            self.statuses.add(status)
            if status in statuses:
                return migration
            # Nova writes "failed", and then "error".
            if status in last_step.ENDED and not (
                    status == 'failed' and 'error' in statuses):
                self.fail('the migration has ended as ' + status)

        return wait.until(reached, 'migration that is ' + ' or '.join(
            statuses), limit, interval=0.2)

    def wait_for_switch(self, server) -> None:
        """Wait until the guest runs on the destination, in post-copy.

        The status alone does not tell: it is saved before QEMU is asked to
        switch, and put back if QEMU refuses.
        """
        self.wait_for(server, POST_COPY)
        wait.until(lambda: self.cloud.host(DESTINATION).domains().get(
            server.id) == proof.RUNNING, 'guest on the destination', 30)

    def wait_for_copy(self, server) -> dict:
        """Wait until memory is copied; return the migration.

        Nova calls it running before there is a job that could be aborted.
        """
        migration = self.wait_for(server, 'running')

        def copied() -> bool:
            found = self.cloud.get(
                'compute', '/servers/%s/migrations' % server.id,
                microversion=MICROVERSION)['migrations']
            return bool(found and found[0]['memory_processed_bytes'])

        wait.until(copied, 'progress of the migration', 30)
        return migration

    def slow_down(self, bandwidth: int) -> None:
        """Give each phase of migrations some seconds, until the test ends.

        :param bandwidth: bytes/s, on a machine that is not slow
        """
        for host in self.cloud.hosts.values():
            host.limit_migration_network(speed.slowed(bandwidth))
            self.addCleanup(host.limit_migration_network,
                            self.cloud.bandwidth)

    def speed_up(self) -> None:
        """Let what is left of a migration take no longer than it must."""
        for host in self.cloud.hosts.values():
            host.limit_migration_network(self.cloud.bandwidth)

    def settle(self, server) -> None:
        """Wait until a migration is over, on the hosts and in Nova."""
        last_step.wait_until_over(self.cloud, server.id)
        server.get()

    def migrate(self, server, host: str, **options) -> dict:
        """Migrate a server to a host and return the migration that did it.

        :param options: ``post_copy``, or nothing
        """
        self.nova.servers.live_migrate(server, host, 'auto', **options)
        migration = self.wait_for(server, 'completed', host=host)
        self.settle(server)
        return migration

    def assert_moved(self, server, pulse: heartbeat.Heartbeat, source: str,
                     destination: str, post_copy: bool | None) -> None:
        """Compare hosts, guest, Nova and placement, from outside of Nova."""
        self.settle(server)
        pulse.follow(self.cloud.serial_address(server, destination))
        since = len(pulse.samples())
        wait.until(lambda: len(pulse.samples()) > since + 5,
                   'heartbeat of the guest on ' + destination, 30)
        time.sleep(wait.scaled(1))
        facts = proof.look(self.cloud, server.id, source, destination, pulse)
        self.assertEqual(post_copy, facts.migration['post_copy'])
        # The proof is about a migration that may use post-copy.
        facts.migration['post_copy'] = True
        self.assertEqual([], [check for check in proof.judge(facts)
                              if not check.passed])

    def assert_stayed(self, server, pulse: heartbeat.Heartbeat) -> None:
        """Check that the server works on the source, and only there."""
        self.settle(server)
        self.assertEqual(
            ('ACTIVE', SOURCE, 1),
            (server.status, getattr(server, 'OS-EXT-SRV-ATTR:host'),
             getattr(server, 'OS-EXT-STS:power_state')))
        self.assertEqual(proof.RUNNING,
                         self.cloud.host(SOURCE).domains()[server.id])
        self.assertEqual([SOURCE], list(self.cloud.allocations(server.id)))
        since = len(pulse.samples())
        wait.until(lambda: len(pulse.samples()) > since + 5,
                   'heartbeat of the guest on ' + SOURCE, 30)
        self.assertEqual((0, 0), (pulse.wrong_pages, pulse.setbacks))

    def finished(self, server, **fields: str) -> list[dict]:
        """Wait until a live migration has finished such events; return them.

        Nova writes the status of a migration before it tells why.

        :param fields: what the events have, as ``result='Error'``
        """
        return wait.until(
            lambda: [found for found in self.events(server, 'live-migration')
                     if found['finish_time'] and fields.items()
                     <= found.items()],
            'event with %s' % fields, 30)

    def events(self, server, action: str) -> list[dict]:
        """Return the events of the newest action of this name."""
        actions = self.cloud.get(
            'compute', '/servers/%s/os-instance-actions' % server.id,
            microversion='2.96')['instanceActions']
        request = next(found['request_id'] for found in actions
                       if found['action'] == action)
        return self.cloud.get(
            'compute', '/servers/%s/os-instance-actions/%s' % (
                server.id, request),
            microversion='2.96')['instanceAction']['events']
