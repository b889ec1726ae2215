# SPDX-License-Identifier: Apache-2.0

"""Volumes follow the server, whatever fails (issue 11, sequences 8 to 12)."""

from cinderclient import exceptions as cinder_exception

from lab.simulation import guest
from nova_post_copy.compute import record
from tests.functional import base

GIB = 1 << 30


class Volumes(base.BreakingHosts):
    NETWORKS = 'auto'
    VOLUMES = 1
    BOOT_FROM_VOLUME = True
    SHARED_INSTANCES_PATH = False

    def setUp(self):
        super().setUp()
        self.volumes = sorted(self.cinder.volumes_of(self.server['id']))

    def abort(self, migration):
        self.api.api_delete('/servers/%s/migrations/%s' % (
            self.server['id'], migration['id']))


class TestSourceIsRestarted(Volumes):
    """Sequence 8: no host disconnects with the other one's connection."""

    def restarted_while_it_is(self, status, method):
        """Restart the source as soon as upstream's method is called."""
        entered, upstream = [], getattr(
            self.computes['src'].manager, method)

        def blocked(*args, **kwargs):
            entered.append(method)
            self.wait_for('end', lambda: 'src' not in self.computes)
            return upstream(*args, **kwargs)

        setattr(self.computes['src'].manager, method, blocked)
        self.live_migrate(True)
        self.wait_for(status, lambda: entered)
        self.wait_for_migration(status)
        self.kill_compute('src')
        self.restart_compute('src')
        self.settled('error', 'src')

    def test_while_it_is_queued(self):
        self.restarted_while_it_is('queued', '_do_live_migration')

    def test_while_it_is_prepared(self):
        self.restarted_while_it_is(
            'preparing', '_do_pre_live_migration_from_source')

    def test_in_pre_copy(self):
        self.begin(guest.Happening.ITERATION)
        self.kill_compute('src')
        self.hosts.break_streams()
        self.restart_compute('src')
        self.go_on()
        self.settled('error', 'src')


class TestRecord(Volumes):
    """Sequence 9: what the record does not say, Cinder is asked.

    Whether the hosts share disks nobody says, so none is deleted.
    """

    SHARED_INSTANCES_PATH = True

    def test_damaged_in_post_copy(self):
        self.begin()
        self.kill_compute('src')
        self.damage_record('src')
        self.restart_compute('src')
        self.go_on()
        self.settled('completed', 'dest')

    def test_damaged_in_pre_copy_that_fails(self):
        self.begin(guest.Happening.ITERATION)
        self.kill_compute('src')
        self.damage_record('src')
        self.hosts.break_streams()
        self.restart_compute('src')
        self.go_on()
        migration = self.wait_for_migration('error', 'completed')
        self.wait_until_settled()
        self.assertEqual('error', migration['status'])
        self.assert_no_records()
        for volume in self.volumes:
            self.assertEqual({'src': 'attached'},
                             self.cinder.attached(volume))
        self.assertEqual([], self.hosts.violations)

    def test_unreadable_for_a_while(self):
        self.let_disks_fail()
        self.begin()
        self.kill_compute('src')
        self.unreadable.add('src')
        self.restart_compute('src')
        self.go_on()
        self.wait_for_happening(guest.Happening.COMPLETED)
        self.assertEqual('src', self.show()['OS-EXT-SRV-ATTR:host'])
        self.assertTrue(self.inside(
            'src', record.exists, self.server['id']))
        self.unreadable.clear()
        self.settled('completed', 'dest')


class TestCinder(Volumes):
    """Sequence 10: the record stays until Cinder agrees."""

    def wait_for_attachments(self, host):
        for volume in self.volumes:
            self.wait_for('attachment of %s' % volume, lambda: (
                self.cinder.attached(volume) == {host: 'attached'}))
        self.assert_no_records()
        self.assert_storage_and_network(host)

    def test_fails_once(self):
        self.begin()
        self.cinder.outage.begin('attachment_delete', times=1)
        self.go_on()
        self.wait_for_migration('completed')
        self.wait_for_attachments('dest')

    def test_fails_for_long(self):
        self.begin()
        self.cinder.outage.begin('attachment_delete')
        self.go_on()
        migration = self.wait_for_migration('completed')
        # Nothing else waits for it.
        self.wait_for('no allocations', lambda: (
            not self.allocated_on(migration['uuid'])))
        self.assertTrue(self.inside(
            'src', record.exists, self.server['id']))
        self.cinder.outage.end()
        self.wait_for_attachments('dest')

    def test_fails_for_long_after_a_rollback(self):
        self.begin(guest.Happening.ITERATION)
        self.cinder.outage.begin('attachment_delete')
        self.hosts.break_streams()
        self.go_on()
        self.wait_for_migration('error')
        self.wait_until_settled()
        # It starts with its own LUN, and not with that of the destination.
        self.reboot_hard()
        self.assertEqual([], self.hosts.violations)
        self.cinder.outage.end()
        self.wait_for_attachments('src')

    def test_destination_is_down_when_it_is_rolled_back(self):
        self.begin(guest.Happening.ITERATION)
        self.kill_compute('dest')
        self.hosts.break_streams()
        self.go_on()
        self.wait_for_migration('error')
        self.wait_until_settled()
        # Its LUN is not given to anybody else as long as it has it open.
        self.assertEqual(2, len(self.cinder.attached(self.volumes[0])))
        self.restart_compute('dest')
        self.wait_for_attachments('src')

    def test_refuses_the_context_of_the_record(self):
        self.begin()
        self.kill_compute('src')
        self.cinder.needs_token = True
        self.restart_compute('src')
        self.go_on()
        self.wait_for_migration('completed')
        self.wait_for('what to configure', lambda: (
            'needs credentials of its own in [cinder]'
            in self.stdlog.logger.output))
        self.assertTrue(self.inside(
            'src', record.exists, self.server['id']))
        self.cinder.needs_token = False
        self.wait_for_attachments('dest')

    def test_refuses_a_token_that_has_expired(self):
        self.begin()
        self.cinder.outage.begin(
            'attachment_delete', times=2,
            error=lambda: cinder_exception.Unauthorized(401))
        self.go_on()
        self.wait_for_migration('completed')
        self.wait_for_attachments('dest')


class TestExtended(Volumes):
    """Sequence 12: the event went to the half that the guest has left."""

    def size_on(self, host):
        (domain,) = [domain for name, domain in self.hosts.domains(
            self.server['id']).items() if name == host]
        return domain.disk_size(self.volumes[0])

    def test_in_post_copy(self):
        self.begin()
        self.extend_volume(self.volumes[0], 3)
        self.go_on()
        self.settled('completed', 'dest')
        self.wait_for('size', lambda: self.size_on('dest') == 3 * GIB)

    def test_in_pre_copy(self):
        # Nova's mapping has the destination's LUN from the beginning.
        self.begin(guest.Happening.ITERATION)
        self.extend_volume(self.volumes[0], 3)
        self.wait_for('refusal', lambda: (
            'was not extended on this host' in self.stdlog.logger.output))
        self.go_on()
        self.settled('completed', 'dest')
        self.wait_for('size', lambda: self.size_on('dest') == 3 * GIB)

    def test_destination_is_down_just_then(self):
        self.begin()
        self.kill_compute('dest')
        self.extend_volume(self.volumes[0], 3)
        self.go_on()
        self.wait_for_happening(guest.Happening.COMPLETED)
        self.restart_compute('dest')
        self.settled('completed', 'dest')
        self.wait_for('size', lambda: self.size_on('dest') == 3 * GIB)


class TestLost(Volumes):
    """Sequence 11: the way back is free once the server runs again."""

    IMAGES_TYPE = 'rbd'
    BOOT_FROM_VOLUME = False

    def test_way_back(self):
        self.lose_and_start_again()
        self.assert_on('dest')

        self.live_migrate(True)
        self.settled('completed', 'src')


class TestLostWithALocalDisk(base.BreakingHosts):
    """The directory on the source is a backup, which nothing deletes."""

    SHARED_INSTANCES_PATH = False

    def test_move_back_is_refused_before_it_begins(self):
        self.lose_and_start_again()
        self.make_busy()

        for post_copy in (True, base.ABSENT):
            self.live_migrate(post_copy)
            self.wait_for_migration('error')
            self.wait_until_settled()
            self.assertIn('src', self.directories(self.server['id']))
        self.assertEqual({'dest'}, self.hosts.running_on(self.server['id']))
