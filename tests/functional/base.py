# SPDX-License-Identifier: Apache-2.0

"""Two simulated hosts, a server on the first, and what tests ask of them."""

import contextlib
import importlib
import os
import threading
import time

import fixtures
from oslo_log import log as logging

from lab.simulation import cloud
from lab.simulation import guest
import nova.conf
from nova import context
from nova import objects
from nova import utils
from nova_post_copy.compute import record
from tests.functional import surroundings

CONF = nova.conf.CONF
LOG = logging.getLogger(__name__)

MIB = 1024 * 1024
ABSENT = object()
TRAIT = 'CUSTOM_LIVE_MIGRATION_POST_COPY'


class TwoHosts(surroundings.Surroundings, cloud.Cloud):
    """A server on ``src``, and ``dest`` to move it to.

    At 256 MiB/s the first pass over its 512 MiB takes 2 s, and its busy
    400 MiB do not fit the 0.5 s of downtime that Nova allows: pre-copy of the
    busy server never ends. The tests see all that four times as fast.
    """

    WORKING_SET = 400 * MIB
    DIRTY_RATE = 800 * MIB
    #: so that there is a pre-copy in which something can happen
    SWITCH_POLICY = 'first-pass'
    #: a third one is for what happens besides the migration
    HOSTS = ('src', 'dest')
    #: 'auto' gives the server a port
    NETWORKS = 'none'
    #: how many volumes are attached to it
    VOLUMES = 0
    #: whether it boots from a volume of its own
    BOOT_FROM_VOLUME = False

    def setUp(self):
        self._let_databases_wait()
        super().setUp()
        self.flags(switch_policy=self.SWITCH_POLICY, group='post_copy')
        self.start_hosts()
        self.server = self.create_server()

    def _let_databases_wait(self):
        """Let a thread wait for another one that writes, as MySQL does.

        SQLite gives up after 5 s, which are nothing on a machine that is busy.
        """
        # The package has another module of that name.
        module = importlib.import_module('nova.tests.fixtures.nova')
        name = '_use_file_backed_sqlite_with_wal'
        upstream = getattr(module, name)

        def use_patient(*args):
            url, path = upstream(*args)
            return url + '?timeout=120', path

        self.useFixture(fixtures.MockPatchObject(module, name, use_patient))

    def create_server(self):
        """Create a server on src, as the attributes of the class say.

        :returns: it
        """
        server = self._build_server(networks=self.NETWORKS, host='src')
        volumes = [self.cinder.new_volume() for _ in range(self.VOLUMES)]
        if self.BOOT_FROM_VOLUME:
            volumes.insert(0, self.cinder.new_volume(bootable=True))
            del server['imageRef']
        else:
            server['block_device_mapping_v2'] = [{
                'boot_index': 0, 'source_type': 'image',
                'destination_type': 'local', 'uuid': server['imageRef'],
                'delete_on_termination': True}]
        server.setdefault('block_device_mapping_v2', []).extend({
            'boot_index': 0 if self.BOOT_FROM_VOLUME and not number else None,
            'source_type': 'volume', 'destination_type': 'volume',
            'uuid': volume} for number, volume in enumerate(volumes))
        return self._wait_for_state_change(
            self.api.post_server({'server': server}), 'ACTIVE')

    def start_hosts(self):
        for host in self.HOSTS:
            self.start_compute(host)

    def make_busy(self):
        self.hosts.make_busy(
            self.server['id'], self.WORKING_SET, self.DIRTY_RATE)

    def body(self, post_copy=ABSENT, host=None, **more):
        action = {'host': host, 'block_migration': 'auto'} | more
        if post_copy is not ABSENT:
            action['post_copy'] = post_copy
        return {'os-migrateLive': action}

    def live_migrate(self, post_copy=ABSENT, host=None, **more):
        """Ask, and expect to be heard."""
        self.earlier = {migration['id'] for migration in self.migrations()}
        self.api.post_server_action(
            self.server['id'], self.body(post_copy, host, **more))

    def refused(self, post_copy=ABSENT, host=None, api=None, **more):
        """Ask, and expect a refusal.

        :returns: HTTP status and message
        """
        return self.request(
            'POST', '/servers/%s/action' % self.server['id'],
            self.body(post_copy, host, **more), api)

    def request(self, method, path, body=None, api=None):
        """Make a request whose answer may be anything.

        :returns: HTTP status and, of an error, its message
        """
        kwargs = {'check_response_status': None}
        api = api or self.api
        if method == 'POST':
            response = api.api_post(path, body, **kwargs)
        elif method == 'PUT':
            response = api.api_put(path, body, **kwargs)
        elif method == 'DELETE':
            response = api.api_delete(path, **kwargs)
        else:
            response = api.api_get(path, **kwargs)
        if response.status < 400:
            return response.status, None
        (error,) = response.body.values()
        return response.status, error['message']

    @contextlib.contextmanager
    def microversion_is(self, version):
        with utils.temporary_mutation(self.api, microversion=version):
            yield

    def wait_for(self, what, condition, timeout=20):
        """Poll until a condition is true.

        :param what: the condition, in words
        :returns: its value
        """
        deadline = time.monotonic() + timeout
        while not (value := condition()):
            if time.monotonic() > deadline:
                self.fail('%s: not within %d s. Server: %s; migrations: %s' % (
                    what, timeout, self.show(), self.migrations()))
            time.sleep(0.05)
        return value

    def show(self):
        return self.api.get_server(self.server['id'])

    def migrations(self):
        """Return the server's migrations."""
        return self.api.api_get(
            '/os-migrations?instance_uuid=%s' % self.server['id']
        ).body['migrations']

    def in_progress(self):
        return self.api.api_get(
            '/servers/%s/migrations' % self.server['id']).body['migrations']

    def wait_for_migration(self, *statuses):
        """Wait until the migration just asked for has one of these."""
        return self.wait_for(
            'migration ' + ' or '.join(statuses),
            lambda: next((m for m in self.migrations()
                          if m['status'] in statuses
                          and m['id'] not in self.earlier), None))

    def wait_until_settled(self):
        """Wait until nobody works on the server any more.

        :returns: it
        """
        return self.wait_for('no task', lambda: next(
            (server for server in [self.show()]
             if server['OS-EXT-STS:task_state'] is None), None))

    def complete(self):
        """Wait for a migration to end well and return the two records."""
        migration = self.wait_for_migration(
            'completed', 'error', 'failed', 'cancelled')
        return migration, self.wait_until_settled()

    def stop_at(self, what):
        """Let the simulated time stop as soon as this happens."""
        self.hosts.stop_at = {what}

    def wait_until_stopped(self):
        """Wait until it has happened."""
        (what,) = self.hosts.stop_at
        self.wait_for(what.value, lambda: (
            self.hosts.moves and self.hosts.moves[-1].at(what) is not None))

    def go_on(self):
        self.hosts.stop_at = set()
        self.hosts.clock.go_on()

    def move(self):
        """Return the only migration that libvirt was asked for."""
        (move,) = self.hosts.moves
        return move

    def event(self, name):
        """Return an event of the newest live migration's action."""
        action = next(
            action for action
            in self.api.get_instance_actions(self.server['id'])
            if action['action'] == 'live-migration')
        return self.wait_for('event ' + name, lambda: next(
            (event for event in self.api.get_instance_action_details(
                self.server['id'], action['request_id'])['events']
             if event['event'] == name and event['finish_time']), None))

    def fault(self):
        """Return what administrators read of the newest fault."""
        newest = self.newest_fault()
        # What the conductor records has a traceback in its details.
        return newest.message + newest.details

    def newest_fault(self):
        """Return the newest fault, which may come after the last status."""
        return self.wait_for('fault', lambda: next(iter(self.faults()), None))

    def faults(self):
        """Return the faults; of an ACTIVE server the API shows none."""
        with context.target_cell(
                context.get_admin_context(),
                self.cell_mappings['cell1']) as cell:
            return objects.InstanceFaultList.get_by_instance_uuids(
                cell, [self.server['id']])

    def inside(self, host, function, *args):
        """Call something as the nova-compute of a host would."""
        with self.processes[host]:
            return function(*args)

    def allocated_on(self, consumer):
        """Names of the hosts on which placement counts a consumer."""
        names = {uuid: name for name, uuid in self.compute_rp_uuids.items()}
        allocations = self.placement.get(
            '/allocations/%s' % consumer).body['allocations']
        return {names[uuid] for uuid in allocations}

    def assert_on(self, host, migration=None):
        """Check that the server runs there, and that all records agree."""
        server = self.show()
        self.assertEqual(
            (host, 'ACTIVE', None, 1),
            (server['OS-EXT-SRV-ATTR:host'], server['status'],
             server['OS-EXT-STS:task_state'],
             server['OS-EXT-STS:power_state']))
        self.assertEqual({host}, self.hosts.running_on(server['id']))
        self.assertEqual({host}, set(self.hosts.domains(server['id'])))
        self.assertEqual([], self.hosts.ran_twice(server['id']))
        self.assertEqual({host}, self.allocated_on(server['id']))
        self.assert_storage_and_network(host)
        if migration is not None:
            # Upstream gives them back after it has saved the last status.
            self.wait_for('no allocations of the migration', lambda: (
                not self.allocated_on(migration['uuid'])))

    def directories(self, server):
        """Return the hosts that have a directory of a server."""
        return {host for host in self.hosts.daemons if os.path.exists(
            os.path.join(self.instances_path(host), server))}

    def assert_storage_and_network(self, host):
        """Check that directory, volumes and ports are on one host only."""
        server = self.server['id']
        self.assertEqual(
            set(self.hosts.daemons) if self.SHARED_INSTANCES_PATH else {host},
            self.directories(server))
        self.assertEqual([], self.hosts.violations)
        self.assertEqual([], self.hosts.disks.missing())
        self.assertEqual([], self.cinder.unattached())
        for volume in self.cinder.volumes_of(server):
            self.assertEqual({host: 'attached'}, self.cinder.attached(volume))
            self.assertEqual({host}, self.cinder.san.connected(volume))
        for bindings in self.neutron.bindings(server).values():
            self.assertEqual({host: 'ACTIVE'}, bindings)

    def assert_untouched(self):
        """Check that a refused request has changed nothing."""
        self.assert_on('src')
        self.assertNotIn('fault', self.show())
        self.assertEqual([], self.migrations())
        self.assertEqual([], self.hosts.moves)
        self.assertEqual(
            ['create'], [action['action'] for action in
                         self.api.get_instance_actions(self.server['id'])])


class BreakingHosts(TwoHosts):
    """Two hosts that break; what Nova does about it, it does at once.

    Seconds that nova-compute waits are a tenth of what they are outside.
    """

    #: s between two looks for what nobody takes care of
    RECONCILE_INTERVAL_S = 0.2
    WAITS = {
        'compute.dropped_requests.DROPPED_AFTER_S': 8,
        'migration.phase.BEAT_S': 0.1,
        'migration.phase.QUICK_BEAT_S': 0.025,
        'migration.following.STRANDED_AFTER_S': 1.0,
        'decisions.recovery.STALLED_AFTER_S': 0.5,
        'decisions.recovery.RETRY_AFTER_S': 0.1,
        'decisions.recovery.SILENT_AFTER_S': 6.0,
        'migration.interruption.ASK_INTERVAL_S': 0.5,
        'migration.arrival.ARRIVAL_INTERVAL_S': 0.2,
    }

    def setUp(self):
        for name, seconds in self.WAITS.items():
            self.useFixture(fixtures.MonkeyPatch(
                'nova_post_copy.' + name, seconds))
        super().setUp()
        # For what is asked of a host that does not answer.
        self.flags(rpc_response_timeout=3)
        self.make_busy()

    def start_compute(self, hostname='compute1', *args, **kwargs):
        super().start_compute(hostname, *args, **kwargs)
        with self.processes[hostname]:
            threading.Thread(
                target=self._run_periodic_tasks, daemon=True,
                args=(self.computes[hostname], self.processes[hostname]),
                name='periodic tasks of ' + hostname).start()
        return hostname

    def _run_periodic_tasks(self, compute, process):
        # The test itself may be over before the thread notices.
        admin, hosts = context.get_admin_context(), self.hosts
        while process.alive and not hosts.closed:
            for _name, task in compute.manager._periodic_tasks:
                if not task.__module__.startswith('nova_post_copy.'):
                    continue
                try:
                    task(compute.manager, admin)
                except Exception:
                    # As oslo.service does.
                    LOG.exception('A periodic task of %s failed',
                                  process.host)
            time.sleep(self.RECONCILE_INTERVAL_S)

    def begin(self, what=guest.Happening.RESUMED):
        """Migrate, and let the time stop as soon as this happens."""
        self.stop_at(what)
        self.live_migrate(True)
        self.wait_until_stopped()
        self.hosts.stop_at = set()
        return self.wait_for_migration('running', 'running (post-copy)')

    def interrupt(self):
        """Break the stream while the network is cut; it stays cut.

        :returns: the migration
        """
        self.hosts.cut()
        self.hosts.break_streams()
        self.go_on()
        return self.wait_for_migration('interrupted (post-copy)')

    def reboot_hard(self):
        """Reboot the server, and wait until it is ACTIVE."""
        self.api.post_server_action(
            self.server['id'], {'reboot': {'type': 'HARD'}})
        self.wait_for('ACTIVE', lambda: self.show()['status'] == 'ACTIVE')

    def lose_and_start_again(self):
        """Lose the memory in post-copy, and start the server from its disk.

        What is left on the source and not needed is removed.
        """
        self.begin()
        self.hosts.kill_qemu('dest', self.server['id'])
        self.go_on()
        self.wait_for_migration('error')
        self.wait_until_settled()
        self.reboot_hard()
        self.inside('src', self.computes['src'].manager._remove_leftovers,
                    None)

    def wait_for_happening(self, what):
        self.wait_for(what.value, lambda: self.move().at(what) is not None)

    def settled(self, status, host):
        """Wait for the end, and check that everything agrees with it."""
        migration = self.wait_for_migration(
            'completed', 'error', 'failed', 'cancelled')
        self.wait_until_settled()
        self.assertEqual(status, migration['status'])
        # What is outside Nova's database follows until then.
        self.assert_no_records()
        self.assert_on(host, migration)
        self.assertNotIn('fault', self.show())
        return migration

    def assert_lost(self, migration):
        """Check that the loss of the memory is said plainly."""
        server = self.wait_until_settled()
        self.assertEqual(
            ('dest', 'ERROR', 'error'),
            (server['OS-EXT-SRV-ATTR:host'], server['status'],
             migration['status']))
        self.assertIn('reboot --hard', server['fault']['message'])
        # Nothing was started or deleted anywhere.
        self.assertEqual({'src', 'dest'},
                         set(self.hosts.domains(server['id'])))
        self.assertEqual([], self.hosts.ran_twice(server['id']))
        self.assertEqual({'dest'}, self.allocated_on(server['id']))
        self.wait_for('no allocations of the migration', lambda: (
            not self.allocated_on(migration['uuid'])))
        self.assert_no_records()

    def assert_no_records(self):
        """Check that no durable record is left on any host."""
        self.wait_for('no record', lambda: not any(
            self.inside(host, record.exists, self.server['id'])
            for host in self.processes))

    def notified(self, phase):
        """Return the notifications of recovery in a phase, as they came."""
        return [notification for notification
                in self.notifier.versioned_notifications
                if notification['event_type'] == (
                    'instance.live_migration_post_copy_recovery.' + phase)]
