# SPDX-License-Identifier: Apache-2.0

"""A host that does not come back leaves no attachments in Cinder."""

import fixtures

from lab.simulation import guest
from tests.functional import test_between_hosts


class TestVolume(test_between_hosts.Sequences):
    VOLUMES = 1

    def setUp(self):
        super().setUp()
        self.volumes = sorted(self.cinder.volumes_of(self.server['id']))

    def attached(self):
        """Return the hosts that each volume is attached to."""
        return [set(self.cinder.attached(volume)) for volume in self.volumes]

    def assert_attached_to(self, *hosts):
        self.assertEqual([set(hosts)] * len(self.volumes), self.attached())
        self.assertEqual([], self.hosts.violations)

    def source_is_destroyed(self):
        # Nobody there sees QEMU end.
        self.source_dies()
        self.hosts.kill_qemu('src', self.server['id'])

    def begin_and_lose_the_source(self):
        self.begin()
        self.interrupt()
        self.source_is_destroyed()

    def assert_given_up(self, *hosts):
        status, text = self.give_up(*hosts)
        self.assertEqual(0, status, text)
        return text

    def assert_nothing_is_left_when_it_is_deleted(self):
        path = '/servers/' + self.server['id']
        self.assertEqual(204, self.request('DELETE', path)[0])
        self.wait_for('deleted', lambda: self.request('GET', path)[0] == 404)
        self.wait_for('no attachments', lambda: not any(self.attached()))
        for volume in self.volumes:
            self.assertEqual(
                'available', self.cinder.volumes[volume]['status'])
        self.assertEqual([], self.hosts.violations)
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))

    def test_lost(self):
        self.begin_and_lose_the_source()
        self.assert_given_up('src')
        self.assert_attached_to('dest')
        self.reboot_hard()
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
        self.assert_attached_to('dest')
        self.assert_nothing_is_left_when_it_is_deleted()

    def test_lost_and_deleted_at_once(self):
        self.begin_and_lose_the_source()
        self.assert_given_up('src')
        self.assert_nothing_is_left_when_it_is_deleted()

    def test_lost_and_the_source_comes_back(self):
        self.begin()
        self.interrupt()
        self.source_dies()
        self.assert_given_up('src')
        self.reboot_hard()
        self.hosts.heal()
        self.source_comes_back()
        self.assert_no_records()
        self.inside('src', self.computes['src'].manager._remove_leftovers,
                    None)
        self.assertEqual({'dest'}, set(self.hosts.domains(self.server['id'])))
        self.assert_attached_to('dest')
        self.assert_nothing_is_left_when_it_is_deleted()

    def test_arrived(self):
        self.begin()
        self.source_dies()
        self.go_on()
        self.wait_for_happening(guest.Happening.COMPLETED)
        self.assertIn('nothing to give up', self.assert_given_up('src'))
        self.assert_attached_to('dest')
        self.assertEqual([], self.hosts.disks.missing())
        self.assert_nothing_is_left_when_it_is_deleted()

    def test_both_are_lost(self):
        self.begin()
        self.interrupt()
        self.source_is_destroyed()
        self.hosts.kill_qemu('dest', self.server['id'])
        self.kill_compute('dest')
        self.force_down('dest')
        self.assert_given_up('src', 'dest')
        self.assert_attached_to('dest')

    def stays(self, *hosts):
        self.begin(guest.Happening.ITERATION)
        self.source_is_destroyed()
        self.go_on()
        return self.assert_given_up('src', *hosts)

    def test_stays(self):
        self.stays()
        self.assert_attached_to('src')
        for volume in self.volumes:
            self.assertNotIn('dest', self.cinder.san.connected(volume))
        self.assert_taken({'evacuate': {}})
        # From microversion 2.95 on an evacuated server is not started.
        self.wait_for('evacuated', lambda: (
            self.show()['status'] == 'SHUTOFF'
            and self.show()['OS-EXT-SRV-ATTR:host'] == 'dest'
            and self.show()['OS-EXT-STS:task_state'] is None))
        self.assert_attached_to('dest')
        self.assert_taken({'os-start': None})
        self.wait_for('ACTIVE', lambda: self.show()['status'] == 'ACTIVE')
        self.assert_attached_to('dest')
        self.assertEqual([], self.hosts.disks.missing())
        self.assert_nothing_is_left_when_it_is_deleted()

    def test_stays_and_the_source_comes_back(self):
        self.stays()
        self.source_comes_back()
        self.assert_no_records()
        self.reboot_hard()
        self.assertEqual({'src'}, self.hosts.running_on(self.server['id']))
        self.assert_attached_to('src')
        self.assertEqual([], self.hosts.disks.missing())
        self.assert_nothing_is_left_when_it_is_deleted()

    def test_stays_and_the_destination_is_given_up(self):
        self.begin(guest.Happening.ITERATION)
        self.source_is_destroyed()
        self.kill_compute('dest')
        self.force_down('dest')
        self.go_on()
        self.assert_given_up('src', 'dest')
        self.assert_attached_to('src')

    def wait_until_released(self):
        """Wait until nova-compute on the destination has done it."""
        self.wait_for('released', lambda: self.attached() == [
            {'dest'}] * len(self.volumes))
        self.assertEqual([], self.hosts.violations)

    def test_cinder_is_down(self):
        self.begin_and_lose_the_source()
        self.cinder.outage.begin()
        status, text = self.give_up('src')
        self.assertEqual(2, status, text)
        self.assertIn('volume attachment delete ID', text)
        self.cinder.outage.end()
        self.wait_until_released()
        self.reboot_hard()
        self.assert_nothing_is_left_when_it_is_deleted()

    def test_no_credentials_until_it_is_deleted(self):
        self.begin_and_lose_the_source()
        # Users have a token.
        self.cinder.needs_token = True
        status, text = self.give_up('src')
        self.assertEqual(2, status, text)
        self.assertIn('[cinder]', text)
        path = '/servers/' + self.server['id']
        self.assertEqual(204, self.request('DELETE', path)[0])
        self.wait_for('deleted', lambda: self.request('GET', path)[0] == 404)
        self.assertEqual([{'src'}] * len(self.volumes), self.attached())
        self.cinder.needs_token = False
        self.wait_for('no attachments', lambda: not any(self.attached()))
        self.assertEqual([], self.hosts.violations)

    def test_hosts_are_not_named(self):
        # Nobody but a person can tell then.
        self.useFixture(fixtures.MonkeyPatch(
            'lab.simulation.cinder._host', lambda attachment: None))
        self.begin(guest.Happening.ITERATION)
        self.source_is_destroyed()
        self.go_on()
        status, text = self.give_up('src')
        self.assertEqual(2, status, text)
        self.assertIn('not started on src', text)
        for volume in self.volumes:
            self.assertEqual(2, len(
                self.cinder.volume_to_attachment[volume]))
        self.assertEqual([], self.hosts.violations)


class TestBootVolume(TestVolume):
    BOOT_FROM_VOLUME = True
    SHARED_INSTANCES_PATH = False
