# SPDX-License-Identifier: Apache-2.0

from nova import objects
from nova import test

from nova_post_copy.api import phase
from nova_post_copy.objects import migration as migration_obj

INSTANCE = objects.Instance(host='host-a', progress=40)
# What is known of a migration before anything was counted.
COUNTS = dict.fromkeys(
    [kind + what for kind in ('memory', 'disk')
     for what in ('_total', '_processed', '_remaining')])


def migration(status, migration_type='live-migration', **counts):
    return objects.Migration(
        status=status, migration_type=migration_type, dest_compute='host-b',
        **COUNTS | counts)


class TestPhase(test.NoDBTestCase):

    def test_each_status(self):
        for status, expected in (
            ('accepted', 'scheduling'), ('queued', 'queued'),
            ('preparing', 'preparing'), ('running', 'preparing'),
            ('running (post-copy)', 'post-copy'),
            ('interrupted (post-copy)', 'interrupted'),
            ('post-migrating', 'finishing'),
            ('completed', None), ('error', None), ('failed', None),
            ('cancelled', None),
        ):
            self.assertEqual(expected, phase.of(migration(status)))

    def test_what_is_in_progress_has_a_phase(self):
        for status in migration_obj.IN_PROGRESS:
            self.assertIsNotNone(phase.of(migration(status)))

    def test_what_is_copied(self):
        for memory, disk, expected in (
            (None, None, 'preparing'), (0, 0, 'preparing'),
            (0, 5, 'disk'), (5, 0, 'pre-copy'), (5, 5, 'pre-copy'),
        ):
            self.assertEqual(expected, phase.of(migration(
                'running', memory_total=memory, disk_total=disk)))

    def test_nothing_is_left(self):
        # In pre-copy the guest may write again.
        for status, expected in (('running', 'pre-copy'),
                                 ('running (post-copy)', 'finishing'),
                                 ('interrupted (post-copy)', 'interrupted')):
            self.assertEqual(expected, phase.of(migration(
                status, memory_total=5, memory_remaining=0)))

    def test_the_destination_has_taken_over(self):
        there = objects.Instance(host='host-b')
        for status in ('running', 'running (post-copy)'):
            copied = migration(status, memory_total=5, memory_remaining=3)
            self.assertNotEqual('finishing', phase.of(copied, INSTANCE))
            self.assertEqual('finishing', phase.of(copied, there))
        self.assertIsNone(phase.of(migration('completed'), there))
        # It was there before it was asked to go somewhere.
        self.assertEqual('scheduling', phase.of(migration('accepted'), there))

    def test_other_migrations(self):
        for migration_type in ('evacuation', 'migration', 'resize'):
            for status in ('accepted', 'post-migrating', 'running'):
                self.assertIsNone(
                    phase.of(migration(status, migration_type)))


class TestProgress(test.NoDBTestCase):

    def test_before_anything_is_copied(self):
        # What the server shows then is of an earlier migration.
        for status in ('queued', 'preparing', 'running'):
            self.assertEqual(0, phase.progress(migration(status), INSTANCE))

    def test_on_the_way(self):
        for status in ('running', 'running (post-copy)',
                       'interrupted (post-copy)'):
            self.assertEqual(40, phase.progress(
                migration(status, memory_total=5, memory_remaining=3),
                INSTANCE))

    def test_of_a_server_that_never_had_any(self):
        self.assertEqual(0, phase.progress(
            migration('running (post-copy)'),
            objects.Instance(host='host-a', progress=None)))

    def test_everything_has_arrived(self):
        self.assertEqual(100, phase.progress(
            migration('running (post-copy)', memory_total=5,
                      memory_remaining=0), INSTANCE))
        # Pre-copy, and the destination has taken over.
        self.assertEqual(100, phase.progress(
            migration('running', memory_total=5, memory_remaining=3),
            objects.Instance(host='host-b', progress=0)))
