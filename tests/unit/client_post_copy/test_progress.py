# SPDX-License-Identifier: Apache-2.0

import hypothesis
from hypothesis import strategies
import testtools

from client_post_copy import progress

MIB = progress.MIB
PHASES = ('preparing', 'disk', 'pre-copy', 'post-copy', 'interrupted',
          'finishing')


def seen(phase, percent=None, remaining=None, processed=None, status='running',
         **more):
    kind = 'disk' if phase == 'disk' else 'memory'
    for name, value in (('remaining', remaining), ('processed', processed)):
        if value is not None:
            more['%s_%s_bytes' % (kind, name)] = value * MIB
    return progress.Seen(7, status, phase, percent, **more)


class SeenTestCase(testtools.TestCase):

    def test_of_what_a_list_has(self):
        class Migration:
            id = 7
            status = 'running'
            phase = 'pre-copy'
            dest_compute = 'host-b'

        self.assertEqual(progress.Seen(7, 'running', 'pre-copy'),
                         progress.Seen.of(Migration()))


class StoryTestCase(testtools.TestCase):

    def told(self, *looks):
        story = progress.Story()
        return [story.tell(look) for look in looks]

    def test_all_the_way(self):
        self.assertEqual([
            'scheduling', 'queued behind other migrations', 'preparing',
            'disk, 5%, 100 MiB remaining',
            'pre-copy, 20%, 800 MiB remaining',
            'post-copy, 60%, 400 MiB remaining',
            'interrupted, resumes when the hosts reach each other, 60%, '
            '400 MiB remaining',
            'finishing',
        ], self.told(
            seen('scheduling'), seen('queued', 0), seen('preparing', 0),
            seen('disk', 5, 100), seen('pre-copy', 20, 800),
            seen('post-copy', 60, 400), seen('interrupted', 60, 400),
            seen('finishing', 100)))

    def test_of_one_who_may_not_see_bytes(self):
        self.assertEqual(['pre-copy'], self.told(seen('pre-copy')))

    def test_service_without_phases(self):
        self.assertEqual(['post-migrating'],
                         self.told(seen(None, status='post-migrating')))

    def test_rewritten_memory(self):
        self.assertEqual([
            'pre-copy, 90%, 50 MiB remaining',
            # 350 MiB more than before, though 60 MiB have been sent.
            'pre-copy, 60%, 400 MiB remaining; resending 410 MiB '
            'rewritten by the server',
            # It is said as long as more is left than once was.
            'pre-copy, 80%, 200 MiB remaining; resending 410 MiB '
            'rewritten by the server',
            'pre-copy, 70%, 300 MiB remaining; resending 610 MiB '
            'rewritten by the server',
            'pre-copy, 95%, 49 MiB remaining',
        ], self.told(
            seen('pre-copy', 90, 50, 1000), seen('pre-copy', 60, 400, 1060),
            seen('pre-copy', 80, 200, 1260), seen('pre-copy', 70, 300, 1360),
            seen('pre-copy', 95, 49, 1700)))

    def test_rewritten_before_the_switch(self):
        """The status of the switch is recorded before the bytes are."""
        self.assertEqual([
            'post-copy, 90%, 50 MiB remaining',
            'post-copy, 90%, 400 MiB remaining; resending 400 MiB '
            'rewritten by the server',
            'post-copy, 99%, 9 MiB remaining',
        ], self.told(
            seen('pre-copy', 90, 50, 1000), seen('post-copy', 90, 50, 1000),
            seen('post-copy', 90, 400, 1050), seen('post-copy', 99, 9, 1441),
        )[1:])

    def test_lost_on_the_way(self):
        for phases in (('post-copy', 'interrupted'),
                       ('interrupted', 'post-copy')):
            self.assertIn(
                '80%, 120 MiB remaining; resending 30 MiB lost in transit',
                self.told(seen(phases[0], 80, 90, 9),
                          seen(phases[1], 80, 120, 30))[1])

    def test_memory_is_not_compared_with_disk(self):
        self.assertEqual(
            'pre-copy, 10%, 900 MiB remaining',
            self.told(seen('disk', 10, 1, 900), seen('pre-copy', 10, 900))[1])

    def test_a_bit_is_more_than_nothing(self):
        first = seen('pre-copy', 10, 100)
        grown = first._replace(
            memory_remaining_bytes=first.memory_remaining_bytes + 4096)
        self.assertIn('resending 1 MiB rewritten', self.told(first, grown)[1])

    def test_roll_back_is_not_progress(self):
        self.assertEqual(
            'pre-copy, 60%, 400 MiB remaining',
            self.told(seen('pre-copy', 60, 400), seen('pre-copy', 0, 400))[1])

    @hypothesis.given(strategies.lists(strategies.builds(
        seen, strategies.sampled_from(PHASES), strategies.integers(0, 100),
        strategies.integers(0, 900), strategies.integers(0, 900)),
        max_size=20))
    def test_less_is_never_shown_without_the_reason(self, looks):
        percent, before = 0, None
        for look, line in zip(looks, self.told(*looks)):
            if before and before.phase == look.phase != 'finishing':
                if (look.remaining_bytes or 0) > (before.remaining_bytes or 0):
                    self.assertIn('resending', line)
            found = line.partition('%')[0].rpartition(' ')[2]
            if found.isdigit():
                if int(found) < percent:
                    self.assertIn('resending', line)
                percent = int(found)
            before = look
