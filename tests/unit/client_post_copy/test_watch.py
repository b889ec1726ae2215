# SPDX-License-Identifier: Apache-2.0

import io

import fixtures
import testtools

from client_post_copy import display
from client_post_copy import progress
from client_post_copy import queries
from client_post_copy import watch
from tests.unit.client_post_copy import test_display

IDLE = queries.State('ACTIVE', True, 'host-b', None)
BUSY = queries.State('MIGRATING', False, 'host-a', None)
OLD = progress.Seen(6, 'completed')


def seen(status: str, *more) -> progress.Seen:
    return progress.Seen(7, status, *more)


class Server(queries.Server):
    """Answers from lists; the last answer stays."""

    LIST_COMMAND = 'list %(server)s'
    EVENT_COMMAND = 'show %(server)s %(request)s'

    def __init__(self, name='busy'):
        self.name, self.id = name, 'id-of-' + name
        self.newest = [OLD]
        self.in_progress = [[]]
        self.states = [IDLE]
        self.events = [('req-1', [])]

    def _next(self, answers):
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def newest_migration(self):
        return self._next(self.newest)

    def migrations_in_progress(self):
        return self._next(self.in_progress)

    def state(self):
        return self._next(self.states)

    def newest_events(self):
        return self._next(self.events)


class WatchTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.now = 0
        self.useFixture(fixtures.MonkeyPatch('time.sleep', self._sleep))
        self.useFixture(fixtures.MonkeyPatch(
            'time.monotonic', lambda: self.now))
        self.server = Server()
        self.stdout = io.StringIO()

    def _sleep(self, seconds):
        self.now += seconds
        if self.now > 300:
            raise AssertionError('it never ends')

    def follow(self, *servers, **script):
        vars(self.server).update(script)
        watches = [watch.Watch(server) for server in servers or [self.server]]
        return list(watch.follow(watches, display.Display(self.stdout)))

    def lines(self):
        return self.stdout.getvalue().splitlines()


class MovedTestCase(WatchTestCase):

    def test_complete(self):
        outcome, = self.follow(
            newest=[OLD, seen('completed')],
            in_progress=[
                [seen('preparing', 'preparing', 0)],
                [seen('running', 'pre-copy', 10, 0, 5 << 20)],
                [seen('running', 'pre-copy', 10, 0, 5 << 20)],
                [seen('running (post-copy)', 'post-copy', 40, 0, 2 << 20)],
                []])

        self.assertEqual(
            (self.server, True,
             'Complete. Server busy (id-of-busy) is ACTIVE on host-b'),
            outcome)
        self.assertEqual([
            'busy, migration 7: preparing',
            'busy, migration 7: pre-copy, 10%, 5 MiB remaining',
            'busy, migration 7: post-copy, 40%, 2 MiB remaining',
        ], self.lines())

    def test_on_a_terminal(self):
        self.stdout = test_display.Terminal()
        self.follow(newest=[OLD, seen('completed')], in_progress=[
            [seen('running', 'pre-copy', 10)],
            [seen('running', 'pre-copy', 20)],
            [seen('running (post-copy)', 'post-copy', 40)],
            []])

        self.assertEqual([
            'busy: requested', 'busy, migration 7: pre-copy, 20%',
            'busy, migration 7: post-copy, 40%', ''], self.stdout.screen())
        self.assertIn('migration 7: pre-copy, 10%\r', self.stdout.getvalue())

    def test_figures_of_the_degraded_time(self):
        outcome, = self.follow(
            newest=[OLD, seen('completed')],
            events=[('req-1', [
                queries.Event('compute_live_migration', 'Success', None),
                queries.Event('compute_live_migration_post_copy_degraded',
                              'Success', 'It was degraded for 1.82 s.')])])

        self.assertEqual(
            'Complete. Server busy (id-of-busy) is ACTIVE on host-b. It was '
            'degraded for 1.82 s.', outcome.text)

    def test_recorded_late(self):
        """The conductor records the migration; the API answers before."""
        outcome, = self.follow(
            newest=[OLD, OLD, OLD, seen('accepted', 'scheduling'),
                    seen('completed')],
            states=[BUSY, BUSY, IDLE])

        self.assertTrue(outcome.moved)
        self.assertEqual(['busy, migration 7: scheduling'], self.lines())

    def test_began_and_ended_in_between(self):
        outcome, = self.follow(newest=[OLD, OLD, seen('completed')])
        self.assertTrue(outcome.moved)

    def test_bytes_are_not_for_everybody(self):
        outcome, = self.follow(
            newest=[OLD, seen('running', 'pre-copy'), seen('completed')],
            in_progress=[queries.Forbidden('no')])

        self.assertTrue(outcome.moved)
        self.assertEqual(['busy, migration 7: pre-copy'], self.lines())

    def test_host_is_not_for_everybody(self):
        outcome, = self.follow(newest=[OLD, seen('completed')],
                               states=[IDLE._replace(host=None)])
        self.assertTrue(outcome.text.endswith(' is ACTIVE'))

    def test_cloud_is_away_for_a_while(self):
        outcome, = self.follow(
            newest=[OLD, seen('completed')],
            in_progress=[[seen('running', 'pre-copy')],
                         *[queries.NotAnswered('503')] * 30,
                         [seen('running', 'pre-copy')], []],
            states=[queries.NotAnswered('503'), IDLE],
            events=[queries.NotAnswered('503'), ('req-1', [])])

        self.assertTrue(outcome.moved)
        self.assertEqual([
            'busy, migration 7: pre-copy',
            'busy: no answer from the cloud, retrying',
            'busy, migration 7: pre-copy',
            'busy: no answer from the cloud, retrying',
        ], self.lines())

    def test_several(self):
        calm = Server('calm')
        calm.newest = [OLD, OLD, seen('completed')]
        calm.states = [BUSY, BUSY, IDLE]
        self.stdout = test_display.Terminal()
        outcomes = self.follow(
            self.server, calm,
            newest=[OLD, seen('completed')],
            in_progress=[[seen('running', 'pre-copy')]] * 3 + [[]])

        self.assertEqual(['calm', 'busy'], [
            outcome.text.split()[2] for outcome in outcomes])
        text = self.stdout.getvalue()
        self.assertIn('0 of 2 finished; busy, migration 7: pre-copy; '
                      'calm: requested', text)
        self.assertIn('1 of 2 finished; busy, migration 7: pre-copy', text)

    def test_many_do_not_burden_the_cloud(self):
        servers = [Server('busy-%d' % number) for number in range(50)]
        for server in servers:
            server.newest = [OLD, seen('running', 'pre-copy'),
                             seen('completed')]
        self.assertEqual(50, len(self.follow(*servers)))
        self.assertGreaterEqual(self.now, 50 * watch.PACE_S)


class NotMovedTestCase(WatchTestCase):

    def assert_not_moved(self, *texts, **script):
        outcome, = self.follow(**script)
        self.assertFalse(outcome.moved)
        for text in texts:
            self.assertIn(text, outcome.text)
        self.assertNotIn('\n', outcome.text)

    def test_each_status(self):
        for status in ('error', 'failed', 'cancelled'):
            self.assert_not_moved(
                'Migration 7 ended with status %s. Server busy (id-of-busy) '
                'is ACTIVE on host-b. Reason: ' % status,
                newest=[OLD, seen(status)])

    def test_reasons(self):
        error = queries.Event('compute_live_migration', 'Error', 'Disk full.')
        self.assert_not_moved(
            'Reason: Disk full.; No host.',
            newest=[OLD, seen('error')],
            events=[('req-1', [
                error, error._replace(result='Success', details='Good.'),
                error._replace(details='No host.'),
                error._replace(details=None), error])])

    def test_fault(self):
        self.assert_not_moved(
            'is ERROR on host-b. Reason: Lost.', newest=[OLD, seen('error')],
            states=[queries.State('ERROR', True, 'host-b', 'Lost.')])
        # What an ACTIVE server shows is of another day.
        self.assert_not_moved(
            'Reason: shown', newest=[OLD, seen('error')],
            states=[IDLE._replace(fault='Old.')])

    def test_reason_is_not_for_everybody(self):
        self.assert_not_moved(
            'shown to administrators by "show id-of-busy req-1"',
            newest=[OLD, seen('error')])
        for events in (queries.Forbidden('no'), (None, [])):
            self.assert_not_moved('Reason: not recorded',
                                  newest=[OLD, seen('error')], events=[events])

    def test_waits_for_the_roll_back(self):
        self.assert_not_moved('is ACTIVE', newest=[OLD, seen('error')],
                              states=[BUSY] * 5 + [IDLE])
        self.assertEqual(5, self.now)

    def test_does_not_wait_for_ever(self):
        self.assert_not_moved('is MIGRATING', newest=[OLD, seen('error')],
                              states=[BUSY])

    def test_never_began(self):
        self.assert_not_moved('The migration did not start. Server busy')

    def test_server_deleted(self):
        self.assert_not_moved(
            'but the result is unknown: gone. The migration continues without '
            'this command; see "list id-of-busy".', newest=[OLD],
            states=[queries.Refused('gone')])

    def test_cloud_stays_away(self):
        self.assert_not_moved(
            'the result is unknown: 503', newest=[OLD, seen('completed')],
            in_progress=[queries.NotAnswered('503')])
        self.assertEqual(watch.PATIENCE_S, self.now)


class NotWatchedTestCase(WatchTestCase):

    def test_not_allowed(self):
        self.server.newest = [queries.Forbidden('no')]
        self.assertRaises(queries.Forbidden, watch.Watch, self.server)

    def test_interrupted_by_the_user(self):
        self.assertRaises(
            KeyboardInterrupt, self.follow,
            newest=[OLD, seen('running', 'pre-copy'), KeyboardInterrupt()])
        self.assertEqual([
            'busy, migration 7: pre-copy',
            'Stopped watching. The migrations continue:',
            '  list id-of-busy'], self.lines())

    def test_statuses(self):
        for status, expected in (
            (403, queries.Forbidden), (404, queries.Refused),
            (401, queries.Refused), (429, queries.NotAnswered),
            (500, queries.NotAnswered), (503, queries.NotAnswered),
        ):
            self.assertIs(expected, queries.error_of(status))
