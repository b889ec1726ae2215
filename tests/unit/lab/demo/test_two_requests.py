# SPDX-License-Identifier: Apache-2.0

import io

import testtools

from lab.demo import two_requests
from lab import errors
from lab.instruments import record
from lab import layout
from lab import progress

MIB = layout.MIB
ACTIVE = {'status': 'ACTIVE', 'OS-EXT-STS:task_state': None}
ERROR = ACTIVE | {'status': 'ERROR'}
MIGRATING = ACTIVE | {'OS-EXT-STS:task_state': 'migrating'}


class Story(two_requests.TwoRequests):
    """A Nova that plays a part: one list of statuses for each request.

    The clock goes a second further with each look at a migration.

    :param aborted: what the server is, look by look, after the abort
    :param refused: the first requests that are refused, by their status
    :param refused_aborts: as ``refused``, of the requests to abort
    """

    pre_copy_seconds = 5
    settled_seconds = 0
    poll_seconds = 0
    passes = 1      # with each look

    def __init__(self, *statuses, aborted=(ERROR,), refused=(),
                 refused_aborts=()):
        self.printed = io.StringIO()
        super().__init__(progress.Progress(self.printed), record.Record(
            simulated=True, server='uuid', source='host-a',
            destination='host-b', memory=512 * MIB, working_set=400 * MIB,
            bandwidth=200 * MIB))
        self.commands = []
        self._time = 0
        self._statuses = [list(part) for part in statuses]
        self._servers = [ACTIVE]
        self._aborted = list(aborted)
        self._refused = list(refused)
        self._refused_aborts = list(refused_aborts)
        self._begun = 0

    def _now(self):
        return self._time

    def _run_nova(self, line):
        self.commands.append(line)
        if line.startswith('nova live-migration-abort'):
            if self._refused_aborts:
                raise errors.Refused(*self._refused_aborts.pop(0))
            self._statuses[self._begun - 1] = ['running', 'cancelled']
            self._servers = self._aborted
        elif self._refused and line.startswith('nova live-migration'):
            raise errors.Refused(*self._refused.pop(0))
        elif line.startswith('nova live-migration'):
            self._begun += 1
        elif line.startswith('nova reset-state'):
            self._servers = [ACTIVE]
        return self._time

    def _migration(self):
        if not self._begun:
            return {'id': None}
        statuses = self._statuses[self._begun - 1]
        status = statuses[0] if len(statuses) == 1 else statuses.pop(0)
        return {'id': self._begun, 'uuid': 'migration', 'status': status}

    def _nova_server(self):
        return (self._servers[0] if len(self._servers) == 1
                else self._servers.pop(0))

    def _allocations(self, consumer):
        return {}

    def _look(self, attempt):
        self._time += 1
        if attempt.at(record.RUNNING) is None:
            attempt.note(record.RUNNING, self._time)
        attempt.transferred += 200 * MIB
        attempt.passes += self.passes
        return 'under way'

    def _left_on_hosts(self):
        return ''

    def _fit_link(self, rate):
        pass

    def _rate(self, seconds):
        return 1024.0 * MIB

    def _finish(self):
        self._record.checks.append(record.Check('finished', True, ''))


class TwoRequestsTestCase(testtools.TestCase):

    def run_story(self, *statuses, **kwargs):
        self.story = Story(*statuses, **kwargs)
        return self.story.run()

    def test_main_job(self):
        run = self.run_story(
            ['running'], ['accepted', 'running', 'running (post-copy)',
                          'completed'])
        self.assertEqual(
            ['nova live-migration busy host-b',
             'nova live-migration-abort busy 1',
             'nova reset-state --active busy',
             'nova live-migration --post-copy busy host-b'],
            self.story.commands)
        self.assertEqual(['aborted', 'completed'],
                         [attempt.result for attempt in run.attempts])
        self.assertEqual([False, True],
                         [attempt.post_copy for attempt in run.attempts])
        self.assertTrue(run.passed)
        for command in self.story.commands:
            self.assertIn('$ ' + command, self.story.printed.getvalue())

    def test_pre_copy_is_watched_before_it_is_given_up(self):
        pre_copy, _ = self.run_story(['running'], ['completed']).attempts
        self.assertEqual(5, pre_copy.after(record.ABORTED, record.RUNNING))
        self.assertIsNotNone(pre_copy.at(record.CANCELLED))

    def test_pre_copy_is_watched_for_two_passes(self):
        story = Story(['running'], ['completed'])
        story.passes = 0.25
        pre_copy, _ = story.run().attempts
        self.assertEqual(7, pre_copy.after(record.ABORTED, record.RUNNING))

    def test_pre_copy_that_stands_still_is_given_up(self):
        story = Story(['running'], ['completed'])
        story.passes = 0
        pre_copy, _ = story.run().attempts
        self.assertEqual(30, pre_copy.after(record.ABORTED, record.RUNNING))

    def test_upstream_takes_its_time_for_its_last_step(self):
        self.run_story(['running'], ['completed'],
                       aborted=(MIGRATING, ACTIVE, ACTIVE, ERROR))
        self.assertEqual(['nova reset-state --active busy',
                          'nova live-migration --post-copy busy host-b'],
                         self.story.commands[2:])

    def test_what_is_refused_for_a_while_is_repeated(self):
        run = self.run_story(['running'], ['completed'], refused=[(
            "Cannot 'os-migrateLive' instance uuid while it is in task_state "
            'migrating (HTTP 409)', 409)])
        self.assertEqual(2, self.story.commands.count(
            'nova live-migration busy host-b'))
        self.assertTrue(run.passed)

    def test_what_is_refused_for_good_is_not_repeated(self):
        story = Story(['running'], refused=[('No valid host', 400)])
        self.assertRaises(errors.Refused, story.run)
        self.assertEqual(1, len(story.commands))

    def test_pre_copy_moves_the_server_after_all(self):
        for end in ('completed', 'error'):
            run = self.run_story(['running', end])
            self.assertEqual(['nova live-migration busy host-b'],
                             self.story.commands)
            self.assertFalse(run.passed)
            self.assertEqual(['pre-copy'], [
                check.name for check in run.checks if not check.passed])

    def test_pre_copy_ends_when_it_is_aborted(self):
        run = self.run_story(
            ['running'] * 8 + ['completed'],
            refused_aborts=[('it is not running (HTTP 400)', 400)] * 9)
        self.assertEqual('nova live-migration-abort busy 1',
                         self.story.commands[-1])
        check, = (check for check in run.checks if not check.passed)
        self.assertTrue(check.sentence.endswith('and came to an end.'))

    def test_refused_abort_is_repeated(self):
        run = self.run_story(
            ['running'], ['completed'], refused_aborts=[(
                "Cannot 'abort live migration' instance uuid while it is in "
                'task_state None (HTTP 409)', 409)])
        self.assertEqual(2, self.story.commands.count(
            'nova live-migration-abort busy 1'))
        self.assertTrue(run.passed)

    def test_abort_that_is_forbidden_ends_the_run(self):
        story = Story(['running'], refused_aborts=[('forbidden', 403)])
        self.assertRaises(errors.Refused, story.run)

    def test_post_copy_fails(self):
        run = self.run_story(['running'], ['running', 'error'])
        self.assertEqual('failed', run.attempts[1].result)
        self.assertIsNone(run.attempts[1].after(record.COMPLETED))

    def test_post_copy_does_not_end(self):
        story = Story(['running'], ['running (post-copy)'])
        exc = self.assertRaises(errors.LabError, story.run)
        self.assertIn('running (post-copy)', str(exc))
        self.assertIn('uuid', str(exc))
