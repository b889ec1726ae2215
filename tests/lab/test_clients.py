# SPDX-License-Identifier: Apache-2.0

"""Each client moves a real server."""

import json
import re
import signal
import subprocess

from lab.cloud import content
from lab import layout
from lab import wait
from openstack import connection
from tests.lab import base

HOOK = 'openstackclient_post_copy.sdk:vendor_hook'
MIGRATE = ('server', 'migrate', '--live-migration', '--post-copy')
# Some seconds for each phase.
SLOW_BYTES_PER_S = 30 * layout.MIB


class ClientsTest(base.Case):

    def start(self, *command: str) -> subprocess.Popen:
        """Start a command with what ``./run lab openrc`` prints."""
        return subprocess.Popen(
            ['bash', '-c', content.openrc() + 'exec "$@"', 'bash', *command],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            # Tests that run in the background ignore it, and their children.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))

    def run_command(self, *command: str) -> str:
        process = self.start(*command)
        stdout, stderr = process.communicate(timeout=wait.scaled(120))
        self.assertEqual(0, process.returncode, stderr)
        return stdout

    def make_manager(self, user: str) -> None:
        """Give a user the role that may by default live migrate."""
        admin = connection.Connection(session=content.session('admin'))
        identity = admin.identity
        assignment = (identity.find_project('demo'), identity.find_user(user),
                      identity.find_role('manager'))
        identity.assign_project_role_to_user(*assignment)
        self.addCleanup(identity.unassign_project_role_from_user, *assignment)

    def test_openstack_sdk_and_nova(self):
        """There, back and there again; each client once."""
        self.make_manager('demo')
        server = self.boot()
        pulse = self.follow(server)

        told = self.run_command(
            'openstack', '--os-username', 'demo', *MIGRATE, '--wait',
            server.id)
        self.assert_told(told, server, base.DESTINATION)
        self.assert_moved(server, pulse, base.SOURCE, base.DESTINATION, True)

        conn = connection.Connection(
            session=self.cloud.session, region_name=layout.REGION,
            vendor_hook=HOOK)
        conn.compute.live_migrate_server(server.id, host=base.SOURCE,
                                         post_copy=True)
        self.wait_for(server, 'completed', host=base.SOURCE)
        self.assert_moved(server, pulse, base.DESTINATION, base.SOURCE, True)

        told = self.run_command('nova', 'live-migration', '--post-copy',
                                '--poll', server.id)
        self.assert_told(told, server, base.DESTINATION)
        self.assert_moved(server, pulse, base.SOURCE, base.DESTINATION, True)

        listed = json.loads(self.run_command(
            'openstack', 'server', 'migration', 'list', '--server', server.id,
            '-f', 'json'))
        self.assertEqual([True] * 3, [row['Post Copy'] for row in listed])
        self.assertEqual([True] * 3, [
            migration.post_copy for migration in
            conn.compute.migrations(server_id=server.id)])

    def assert_told(self, told: str, server, host: str) -> None:
        """Check what a client has printed of a migration that switched."""
        *phases, end = told.splitlines()
        self.assertTrue([line for line in phases if re.search(
            r', migration \d+: post-copy, \d+%, \d+ MiB remaining', line)],
            phases)
        self.assertTrue(end.startswith('Complete. Server %s (%s) is ACTIVE' % (
            server.name, server.id)), end)
        # A manager of the project sees neither.
        if ' on ' in end:
            self.assertIn(' on %s. The server was degraded for ' % host, end)

    def test_nova_empties_a_host(self):
        """One after the other; each pulse goes on."""
        servers = [self.boot() for _number in range(2)]
        pulses = [self.follow(server) for server in servers]

        told = self.run_command(
            'nova', 'host-evacuate-live', '--post-copy', '--poll',
            base.SOURCE)

        self.assertEqual('2 of 2 servers moved.', told.splitlines()[-1])
        for server, pulse in zip(servers, pulses):
            self.assertIn('Complete. Server %s (%s) is ACTIVE on %s' % (
                server.name, server.id, base.DESTINATION), told)
            self.assert_moved(server, pulse, base.SOURCE, base.DESTINATION,
                              True)

    def test_nova_is_left_alone(self):
        """Ctrl-C ends the command, and not the migration."""
        self.slow_down(SLOW_BYTES_PER_S)
        server = self.boot()
        pulse = self.follow(server)

        process = self.start('nova', 'live-migration', '--post-copy', '--poll',
                             server.id)
        self.addCleanup(process.kill)
        # Once it shows the migration, it has nothing more to ask for.
        self.assertIn('migration', process.stdout.readline())
        process.send_signal(signal.SIGINT)
        stdout, _stderr = process.communicate(timeout=wait.scaled(20))

        self.assertEqual(130, process.returncode)
        self.assertIn('Stopped watching. The migrations continue:', stdout)
        self.wait_for(server, 'completed')
        self.assert_moved(server, pulse, base.SOURCE, base.DESTINATION, True)

    def test_abort_is_told(self):
        """Upstream's wait of openstack would call it complete."""
        self.slow_down(SLOW_BYTES_PER_S)
        self.upload_filled_guest()
        server = self.boot(image='filled')
        pulse = self.follow(server)

        for command in (('openstack', *MIGRATE, '--wait'),
                        ('nova', 'live-migration', '--post-copy', '--poll')):
            earlier = self.migration(server)
            process = self.start(*command, server.id)
            self.addCleanup(process.kill)
            wait.until(lambda: self.migration(server) != earlier,
                       'migration', 30)
            migration = self.wait_for_copy(server)
            self.nova.server_migrations.live_migration_abort(
                server, migration['id'])
            stdout, stderr = process.communicate(
                timeout=wait.scaled(60))

            self.assertEqual(1, process.returncode, stdout)
            self.assertIn(
                'Migration %d ended with status cancelled. Server %s (%s) is '
                'ACTIVE on %s. ' % (migration['id'], server.name, server.id,
                                    base.SOURCE), stderr)
            self.assert_stayed(server, pulse)
