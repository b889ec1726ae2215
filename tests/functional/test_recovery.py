# SPDX-License-Identifier: Apache-2.0

"""A migration that breaks: it is kept, goes on, or is told to be lost."""

import time

from nova import context
from nova import objects

from lab.simulation import guest
from tests.functional import base

RECOVERY = 'compute_live_migration_post_copy_recovery'
REASON = 'compute_live_migration_post_copy'


class TestInterrupted(base.BreakingHosts):
    """The stream breaks while the network is cut."""

    def setUp(self):
        super().setUp()
        self.begin()
        self.migration = self.interrupt()

    def test_goes_on_when_the_network_is_back(self):
        (migration,) = self.in_progress()
        self.assertEqual('interrupted (post-copy)', migration['status'])
        server = self.show()
        self.assertEqual('MIGRATING', server['status'])
        self.assertNotIn('fault', server)
        self.assertEqual({'dest'}, self.hosts.running_on(server['id']))
        (start,) = self.wait_for('notification', lambda: self.notified(
            'start'))
        self.assertIn('runs on dest', start['payload']['nova_object.data'][
            'fault']['nova_object.data']['exception_message'])
        # It is tried again and again.
        self.assertEqual([], self.notified('end'))

        self.hosts.heal()
        self.settled('completed', 'dest')
        self.assertEqual('Success', self.event(RECOVERY)['result'])
        self.assertEqual(1, len(self.notified('end')))
        self.assertEqual([], self.notified('error'))

    def test_once_more(self):
        self.stop_at(guest.Happening.RECOVERED)
        self.hosts.heal()
        # Else it is one long interruption to those who look now and then.
        self.wait_for('recovery', lambda: self.notified('end'))
        self.hosts.cut()
        self.hosts.break_streams()
        self.go_on()
        self.wait_for('second interruption', lambda: len(
            self.notified('start')) == 2)
        self.hosts.heal()

        self.settled('completed', 'dest')

    def test_user_actions_are_refused(self):
        path = '/servers/%s/migrations/%s' % (
            self.server['id'], self.migration['id'])
        self.assertEqual(409, self.request('DELETE', path)[0])
        self.assertEqual(409, self.request(
            'POST', path + '/action', {'force_complete': None})[0])
        for action in ({'pause': None}, {'reboot': {'type': 'HARD'}},
                       {'os-stop': None}, {'suspend': None},
                       {'resize': {'flavorRef': '2'}},
                       {'createImage': {'name': 'snapshot'}},
                       self.body(True)):
            status, _message = self.request(
                'POST', '/servers/%s/action' % self.server['id'], action)
            self.assertEqual(409, status, action)
        self.hosts.heal()

        self.settled('completed', 'dest')

    def test_a_reset_state_gives_nothing_up(self):
        for state in ('error', 'active'):
            self.api.post_server_action(
                self.server['id'], {'os-resetState': {'state': state}})
            time.sleep(1)
            self.assertEqual(['interrupted (post-copy)'], [
                migration['status'] for migration in self.migrations()])
            self.wait_for('the states are put back', lambda: [
                self.show()['OS-EXT-STS:' + state]
                for state in ('vm_state', 'task_state')
            ] == ['active', 'migrating'])
        self.hosts.heal()

        self.settled('completed', 'dest')

    def test_an_operator_gives_it_up(self):
        # As nova-post-copy-manage does.
        with context.target_cell(context.get_admin_context(),
                                 self.cell_mappings['cell1']) as cell:
            migration = objects.Migration.get_by_id(cell, self.migration['id'])
            migration.status = 'error'
            migration.save()

        self.assert_lost(self.wait_for_migration('error'))
        self.assertEqual('Error', self.event(RECOVERY)['result'])
        self.assertEqual(1, len(self.notified('error')))

    def test_delete(self):
        self.api.delete_server(self.server['id'])
        time.sleep(1)
        # Nobody gives the memory up by that.
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
        self.hosts.heal()

        self.wait_for('deleted', lambda: self.request(
            'GET', '/servers/' + self.server['id'])[0] == 404)
        self.wait_for('no domain', lambda: not self.hosts.domains(
            self.server['id']))
        self.assert_no_records()


class TestCut(base.BreakingHosts):
    """The network is cut, the streams are kept."""

    def setUp(self):
        super().setUp()
        self.begin()
        self.hosts.cut()
        self.go_on()

    def test_a_moment(self):
        self.hosts.heal()

        self.settled('completed', 'dest')
        self.assertIsNone(self.move().at(guest.Happening.INTERRUPTED))
        self.assertEqual([], self.notified('start'))

    def test_dead_stream_is_not_waited_for(self):
        self.wait_for_happening(guest.Happening.INTERRUPTED)
        self.hosts.heal()
        healed = self.hosts.clock.now()
        self.settled('completed', 'dest')

        # Not as long as TCP would wait, nor libvirt's keepalive.
        self.assertLess(self.move().at(guest.Happening.RECOVERED) - healed,
                        5 * self.SPEED)

    def test_recovery_timeout(self):
        self.flags(recovery_timeout=1, group='post_copy')

        self.assert_lost(self.wait_for_migration('error'))


class TestLost(base.BreakingHosts):
    """One of the two halves is gone for good."""

    def setUp(self):
        super().setUp()
        self.begin()

    def lose(self, host):
        self.hosts.kill_qemu(host, self.server['id'])
        self.go_on()
        self.assert_lost(self.wait_for_migration('error'))

    def start_anew(self):
        self.reboot_hard()
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))

    def on_source(self, task):
        """Let a periodic task of the source's nova-compute run."""
        self.inside('src', task, context.get_admin_context())
        return 'src' in self.hosts.domains(self.server['id'])

    def remove_leftovers(self):
        return self.on_source(self.computes['src'].manager._remove_leftovers)

    def test_qemu_on_the_destination(self):
        self.lose('dest')
        self.assertEqual(set(), self.hosts.running_on(self.server['id']))
        self.assertTrue(self.remove_leftovers())
        self.start_anew()
        # Only now nobody can need what the source has kept.
        self.assertFalse(self.remove_leftovers())
        self.assert_on('dest')

    def test_qemu_on_the_source(self):
        self.lose('src')
        self.assertTrue(self.remove_leftovers())
        self.start_anew()
        self.assertFalse(self.remove_leftovers())

    def test_deleted(self):
        self.lose('dest')
        self.api.delete_server(self.server['id'])
        self.wait_for('deleted', lambda: self.request(
            'GET', '/servers/' + self.server['id'])[0] == 404)
        # Upstream's, for whatever was deleted and is still there.
        self.flags(running_deleted_instance_timeout=0)
        self.on_source(self.computes['src'].manager.
                       _cleanup_running_deleted_instances)
        self.assertEqual({}, self.hosts.domains(self.server['id']))


class TestLibvirtd(base.BreakingHosts):
    def restart_in(self, happening, host):
        self.begin(happening)
        self.hosts.daemons[host].restart()
        self.go_on()

    def test_source_in_pre_copy(self):
        self.restart_in(guest.Happening.ITERATION, 'src')
        self.settled('error', 'src')
        self.assertIn('runs on src', self.fault())

    def test_destination_in_pre_copy(self):
        self.restart_in(guest.Happening.ITERATION, 'dest')
        self.settled('error', 'src')

    def test_source_in_post_copy(self):
        self.restart_in(guest.Happening.RESUMED, 'src')
        self.settled('completed', 'dest')

    def test_destination_in_post_copy(self):
        self.restart_in(guest.Happening.RESUMED, 'dest')
        self.settled('completed', 'dest')


class TestPreCopy(base.BreakingHosts):
    """What fails before the switch ends well on the source."""

    def setUp(self):
        super().setUp()
        self.begin(guest.Happening.ITERATION)

    def test_broken(self):
        self.hosts.break_streams()
        self.go_on()
        self.settled('error', 'src')

        self.assertIn('runs on src', self.fault())
        self.assertEqual('Error', self.event(REASON)['result'])

    def test_cut(self):
        self.hosts.cut()
        self.go_on()
        self.settled('error', 'src')

        self.hosts.heal()
        self.live_migrate(True)
        self.settled('completed', 'dest')

    def test_qemu_on_the_destination(self):
        self.hosts.kill_qemu('dest', self.server['id'])
        self.go_on()
        self.settled('error', 'src')

    def test_qemu_on_the_source(self):
        self.hosts.kill_qemu('src', self.server['id'])
        self.go_on()
        migration = self.wait_for_migration('error')
        server = self.wait_until_settled()

        # As when QEMU dies at any other time, and it can be started again.
        self.assertEqual(('src', 'error'), (
            server['OS-EXT-SRV-ATTR:host'], migration['status']))
        self.assertEqual({'src'}, set(self.hosts.domains(server['id'])))
        self.api.post_server_action(
            self.server['id'], {'reboot': {'type': 'HARD'}})
        self.wait_for('ACTIVE', lambda: self.hosts.running_on(
            self.server['id']) == {'src'})

    def test_delete(self):
        self.api.delete_server(self.server['id'])
        self.go_on()

        self.wait_for('deleted', lambda: self.request(
            'GET', '/servers/' + self.server['id'])[0] == 404)
        self.assertEqual({}, self.hosts.domains(self.server['id']))
        self.assert_no_records()


class TestDeleteAfterTheSwitch(base.BreakingHosts):
    def test_waits_for_the_end(self):
        self.begin()
        self.api.delete_server(self.server['id'])
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
        self.go_on()

        self.wait_for('deleted', lambda: self.request(
            'GET', '/servers/' + self.server['id'])[0] == 404)
        self.assertEqual({}, self.hosts.domains(self.server['id']))
        self.assert_no_records()


class TestStateIsReset(base.BreakingHosts):
    """It says nothing about the guest, which is on its way."""

    def test_another_migration_is_refused(self):
        self.begin()
        self.api.post_server_action(
            self.server['id'], {'os-resetState': {'state': 'active'}})
        for post_copy in (True, False):
            # By its migration, or because the state was put back already.
            self.assertEqual(409, self.refused(post_copy)[0])
        self.go_on()

        self.settled('completed', 'dest')
