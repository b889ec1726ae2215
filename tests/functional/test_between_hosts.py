# SPDX-License-Identifier: Apache-2.0

"""Sequences of requests that once started a second copy, or left none.

Each class is named for who sends them, or for what is sent.
"""

import io
import threading
import time

import fixtures
from nova.compute import instance_actions
from nova import context
from nova import objects

from lab.simulation import guest
from nova_post_copy.api import microversion
from nova_post_copy.cmd import give_up
from tests.functional import base

# For evacuate: each kind of body.
EVACUATIONS = (
    ('2.13', {'onSharedStorage': True}),
    ('2.14', {}),
    ('2.28', {'host': 'dest'}),
    ('2.29', {'host': 'dest'}),
    ('2.67', {'host': 'dest', 'force': True}),
    ('2.95', {'host': 'dest'}),
    (microversion.VERSION, {}),
    (microversion.VERSION, {'host': 'dest'}),
)


class Sequences(base.BreakingHosts):

    def act(self, action):
        return self.request(
            'POST', '/servers/%s/action' % self.server['id'], action)

    def assert_taken(self, action):
        status, message = self.act(action)
        self.assertLess(status, 300, message)

    def reset_state(self, state):
        self.assert_taken({'os-resetState': {'state': state}})

    def force_down(self, host, forced_down=True):
        (service,) = self.api.get_services(host=host, binary='nova-compute')
        self.api.put_service(service['id'], {'forced_down': forced_down})

    def source_dies(self):
        """Kill nova-compute on the source; its QEMU lives."""
        provider = self.compute_rp_uuids['src']
        self.kill_compute('src')
        # Placement still has it.
        self.compute_rp_uuids['src'] = provider
        self.force_down('src')

    def source_comes_back(self):
        self.force_down('src', False)
        self.compute_rp_uuids.pop('src')
        self.restart_compute('src')

    def assert_refused(self, action, *words):
        status, message = self.act(action)
        self.assertEqual(409, status, message)
        for word in words:
            self.assertIn(word, message)

    def assert_nothing_was_started(self, *also):
        """Check that no request has come through but the first one."""
        self.assertEqual(
            {'create', 'live-migration', 'resetState', *also},
            {'resetState', *also} | {
                action['action'] for action
                in self.api.get_instance_actions(self.server['id'])})
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))

    def give_up(self, *hosts):
        """Run the operator's command.

        :returns: its exit status and what it has printed
        """
        (migration,) = self.migrations()
        output = io.StringIO()
        with fixtures.MonkeyPatch('sys.stdout', output):
            status = getattr(give_up.MigrationCommands(), 'give-up')(
                str(migration['id']), self.show()['name'], list(hosts))
        return status, output.getvalue()

    def all_details(self):
        """Return those of all faults: the destination may tell one, too."""
        return ' '.join(fault.details for fault in self.faults())


class TestMasakari(Sequences):
    """It answers a 409 by resetting the state and evacuating again."""

    def assert_it_gets_nowhere(self):
        for version, body in EVACUATIONS:
            for _time in range(2):
                self.reset_state('error')
                with self.microversion_is(version):
                    self.assert_refused({'evacuate': body}, 'give-up')
        for seconds in (0.5, 2.0):
            self.reset_state('error')
            time.sleep(seconds)
            self.assert_refused({'evacuate': {}}, 'give-up')
        self.assert_nothing_was_started()

    def test_pre_copy(self):
        self.begin(guest.Happening.ITERATION)
        self.source_dies()
        self.assert_it_gets_nowhere()
        self.assertEqual({'src'}, self.hosts.running_on(self.server['id']))

        self.go_on()
        self.source_comes_back()
        self.settled('completed', 'dest')

    def test_post_copy(self):
        self.begin()
        self.source_dies()
        self.assert_it_gets_nowhere()
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))

        self.go_on()
        self.source_comes_back()
        self.settled('completed', 'dest')

    def test_interrupted(self):
        self.begin()
        self.interrupt()
        self.source_dies()
        self.assert_it_gets_nowhere()
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))

        self.hosts.heal()
        self.source_comes_back()
        self.settled('completed', 'dest')

    def test_nova_compute_is_alive_and_forced_down(self):
        self.begin()
        self.force_down('src')
        self.assert_it_gets_nowhere()

        self.force_down('src', False)
        self.go_on()
        self.settled('completed', 'dest')


class TestLiveMigrationWithoutPostCopy(Sequences):
    """After "nova reset-state --active"."""

    def assert_refused_until_the_end(self):
        self.reset_state('active')
        for body in (self.body(), self.body(host='dest'), self.body(False),
                     self.body(True)):
            self.assert_refused(body, 'has not finished')
        self.assert_nothing_was_started()
        self.hosts.heal()
        self.go_on()
        self.settled('completed', 'dest')

    def test_pre_copy(self):
        self.begin(guest.Happening.ITERATION)
        self.assert_refused_until_the_end()

    def test_post_copy(self):
        self.begin()
        self.assert_refused_until_the_end()

    def test_interrupted(self):
        self.begin()
        self.interrupt()
        self.assert_refused_until_the_end()


class TestDelete(Sequences):
    """Where nobody could carry it out."""

    NETWORKS = 'auto'
    VOLUMES = 1

    def assert_nothing_is_free(self):
        bindings = self.neutron.bindings(self.server['id'])
        self.assertTrue(bindings and all(bindings.values()), bindings)
        self.assertEqual(1, len(self.cinder.volumes_of(self.server['id'])))
        self.assertEqual([], self.cinder.unattached())
        self.assertFalse(objects.InstanceMapping.get_by_instance_uuid(
            context.get_admin_context(), self.server['id']).queued_for_delete)

    def assert_refused_until_somebody_can(self):
        path = '/servers/' + self.server['id']
        for interval in (0, 60):
            self.flags(reclaim_instance_interval=interval)
            status, message = self.request('DELETE', path)
            self.assertEqual(409, status, message)
            self.assertIn('was not deleted', message)
            self.assert_nothing_is_free()
        self.assert_refused({'forceDelete': None}, 'was not deleted')
        self.assert_nothing_is_free()
        self.assert_nothing_was_started()
        self.assertEqual('migrating', self.show()['OS-EXT-STS:task_state'])

        self.flags(reclaim_instance_interval=0)
        self.source_comes_back()
        self.assertEqual(204, self.request('DELETE', path)[0])
        self.hosts.heal()
        self.go_on()
        self.wait_for('deleted', lambda: self.request('GET', path)[0] == 404)
        self.wait_for('no domain', lambda: not self.hosts.domains(
            self.server['id']))
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))
        self.assert_no_records()
        self.assertEqual(set(), self.cinder.volumes_of(self.server['id']))
        self.assertEqual([], self.hosts.violations)

    def test_pre_copy(self):
        self.begin(guest.Happening.ITERATION)
        self.source_dies()
        self.assert_refused_until_somebody_can()

    def test_post_copy(self):
        self.begin()
        self.source_dies()
        self.assert_refused_until_somebody_can()

    def test_interrupted(self):
        self.begin()
        self.interrupt()
        self.source_dies()
        self.assert_refused_until_somebody_can()


class TestGiveUp(Sequences):
    """What an operator says, and no tool says in passing."""

    def test_source_in_post_copy(self):
        self.begin()
        self.interrupt()
        self.source_dies()
        status, text = self.give_up('src')

        self.assertEqual(0, status, text)
        (migration,) = self.migrations()
        self.assertEqual('error', migration['status'])
        server = self.show()
        self.assertEqual(('dest', 'ERROR', None), (
            server['OS-EXT-SRV-ATTR:host'], server['status'],
            server['OS-EXT-STS:task_state']))
        self.assertIn('given up the source', self.all_details())
        self.assertEqual({'dest'}, self.allocated_on(self.server['id']))
        self.assertEqual(set(), self.allocated_on(migration['uuid']))

        self.assert_taken({'reboot': {'type': 'HARD'}})
        self.wait_for('ACTIVE', lambda: self.show()['status'] == 'ACTIVE')
        # It was alive after all. It has nothing to say any more.
        self.hosts.heal()
        self.source_comes_back()
        self.assert_no_records()
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))
        self.assertEqual('error', self.migrations()[0]['status'])

    def test_source_before_the_switch(self):
        self.begin(guest.Happening.ITERATION)
        self.hosts.kill_qemu('src', self.server['id'])
        self.source_dies()
        self.go_on()
        status, text = self.give_up('src')

        self.assertEqual(0, status, text)
        (migration,) = self.migrations()
        self.assertEqual('error', migration['status'])
        server = self.show()
        self.assertEqual(('src', None), (
            server['OS-EXT-SRV-ATTR:host'],
            server['OS-EXT-STS:task_state']))
        self.assertEqual({'src'}, self.allocated_on(self.server['id']))
        self.assertEqual(set(), self.allocated_on(migration['uuid']))
        self.assert_taken({'evacuate': {}})
        self.wait_for('evacuated', lambda: self.hosts.running_on(
            self.server['id']) == {'dest'})
        self.assertIn(instance_actions.EVACUATE, {
            action['action'] for action
            in self.api.get_instance_actions(self.server['id'])})
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))

    def test_it_had_arrived(self):
        self.begin()
        self.source_dies()
        self.go_on()
        self.wait_for_happening(guest.Happening.COMPLETED)
        status, text = self.give_up('src')

        self.assertEqual(0, status, text)
        self.assertIn('nothing to give up', text)
        (migration,) = self.migrations()
        self.assertEqual('completed', migration['status'])
        server = self.show()
        self.assertEqual(('dest', 'ACTIVE', None), (
            server['OS-EXT-SRV-ATTR:host'], server['status'],
            server['OS-EXT-STS:task_state']))
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))

    def test_destination(self):
        self.begin()
        self.interrupt()
        self.kill_compute('dest')
        self.force_down('dest')
        self.hosts.kill_qemu('dest', self.server['id'])
        status, text = self.give_up('dest')

        self.assertEqual(0, status, text)
        self.assertIn('make sure that dest is off', text)
        server = self.show()
        self.assertEqual(('dest', 'ERROR', None), (
            server['OS-EXT-SRV-ATTR:host'], server['status'],
            server['OS-EXT-STS:task_state']))
        # The source's nova-compute lets go, and does not start its copy.
        self.assert_no_records()
        self.assertEqual(set(), self.hosts.running_on(self.server['id']))
        self.assertEqual('error', self.migrations()[0]['status'])

    def test_interrupted_and_both_are_alive(self):
        # Such as when the network between them is gone for good.
        self.begin()
        self.interrupt()
        status, text = self.give_up('src')

        self.assertEqual(0, status, text)
        self.assertIn('nova-compute on src ends the migration', text)
        self.assert_no_records()
        (migration,) = self.migrations()
        self.assertEqual('error', migration['status'])
        self.wait_for('no allocations of the migration', lambda: (
            not self.allocated_on(migration['uuid'])))
        self.assertEqual({'dest'}, self.allocated_on(self.server['id']))
        self.assertIn('given up the source', self.all_details())
        self.assertEqual('ERROR', self.show()['status'])
        self.assert_taken({'reboot': {'type': 'HARD'}})
        self.wait_for('ACTIVE', lambda: self.show()['status'] == 'ACTIVE')
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))

    def test_both_are_alive(self):
        self.begin()
        status, text = self.give_up('src')
        self.assertEqual(1, status)
        self.assertIn('is being copied', text)
        self.go_on()
        self.settled('completed', 'dest')


class TestToItsOwnHost(base.TwoHosts):
    """Upstream accepts that, and its conductor fails later."""

    def test_refused_at_once(self):
        status, message = self.request(
            'POST', '/servers/%s/action' % self.server['id'],
            self.body(True, host='src'))
        self.assertEqual(400, status)
        self.assertIn('to current host', message)
        self.assertEqual([], self.migrations())


class TestTwoRequestsAtOneMoment(base.TwoHosts):

    def test_one_is_accepted(self):
        both = threading.Barrier(2, timeout=60)
        read = objects.RequestSpec.get_by_instance_uuid

        def read_together(_cls, *args, **kwargs):
            # After upstream has checked the task state, before it is changed.
            spec = read(*args, **kwargs)
            if threading.current_thread().name.startswith('request'):
                both.wait()
            return spec

        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.RequestSpec.get_by_instance_uuid', read_together))
        answers = []
        threads = [
            threading.Thread(
                name='request', daemon=True, target=lambda: answers.append(
                    self.refused(True))) for _time in range(2)]
        self.earlier = set()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        self.assertEqual([202, 409], sorted(status for status, _message
                                            in answers))
        self.assertIn('another request', ''.join(
            message or '' for _status, message in answers))
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)
        self.assertEqual(1, len(self.migrations()))
