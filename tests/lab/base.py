# SPDX-License-Identifier: Apache-2.0

"""What the tests in the lab have in common: servers, requests, the proof.

They need the cloud with nova-post-copy and with ports, and take turns in it:
``python -m lab test`` brings it up.
"""

import pathlib
import tempfile
import time

from lab.cloud import cloud as lab_cloud
from lab import guest
from lab.instruments import heartbeat
from lab.instruments import proof
from lab import layout
from lab import wait
import testtools

SOURCE, DESTINATION = (host.name for host in layout.HOSTS)
MICROVERSION = '2.105'
ENDED = ('completed', 'cancelled', 'error', 'failed')


class Case(testtools.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.cloud = lab_cloud.Cloud(ports=True, say=lambda text: None)
        if not self.cloud.is_up():
            self.fail('the lab is not up; "python -m lab test" runs these '
                      'tests in a lab of their own')
        self.nova = self.cloud.nova()
        self.statuses: set[str] = set()     # that migrations were seen in

    def upload_calm_guest(self) -> None:
        """Upload the image ``calm``: so little to copy that pre-copy ends."""
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder, 'image')
            guest.build_image(path, working_set_mib=8, pace_mib=80)
            self.cloud.upload_image('calm', path)

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
            self.statuses.add(migration['status'])
            if migration['status'] in statuses:
                return migration
            if migration['status'] in ENDED:
                self.fail('the migration has ended as ' + migration['status'])

        return wait.until(reached, 'migration that is ' + ' or '.join(
            statuses), limit, interval=0.2)

    def settle(self, server) -> None:
        """Wait until Nova has nothing more to do with the server."""
        def idle() -> bool:
            server.get()
            return getattr(server, 'OS-EXT-STS:task_state') is None

        wait.until(idle, 'end of the task of the server', 30, interval=0.2)

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
        pulse.follow(self.cloud.serial_address(server, destination))
        since = len(pulse.samples())
        wait.until(lambda: len(pulse.samples()) > since + 5,
                   'heartbeat of the guest on ' + destination, 30)
        time.sleep(1)
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
        wait.until(lambda: server.id not in
                   self.cloud.host(DESTINATION).domains(),
                   'end of the domain on the destination', 10)
        self.assertEqual(proof.RUNNING,
                         self.cloud.host(SOURCE).domains()[server.id])
        self.assertEqual([SOURCE], list(self.cloud.allocations(server.id)))
        since = len(pulse.samples())
        wait.until(lambda: len(pulse.samples()) > since + 5,
                   'heartbeat of the guest on ' + SOURCE, 30)
        self.assertEqual((0, 0), (pulse.wrong_pages, pulse.setbacks))

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
