# SPDX-License-Identifier: Apache-2.0

import json

import testtools

from lab.instruments import record
from lab import layout

MIB = layout.MIB


def run(**fields) -> record.Record:
    """A run in which pre-copy fails and post-copy takes 8 s."""
    pre_copy = record.Attempt('nova live-migration busy host-b', False,
                              transferred=2048 * MIB, passes=5)
    for moment, name in ((1, record.REQUESTED), (2, record.RUNNING),
                         (17, record.ABORTED), (18, record.CANCELLED)):
        pre_copy.note(name, moment)
    post_copy = record.Attempt('nova live-migration --post-copy busy host-b',
                               True, transferred=768 * MIB, passes=1)
    for moment, name in ((20, record.REQUESTED), (21, record.RUNNING),
                         (24, record.SWITCHED), (26.5, record.MEMORY_COMPLETE),
                         (28, record.COMPLETED)):
        post_copy.note(name, moment)
    samples = [record.Sample(n / 4, n * 256 * MIB) for n in range(120)
               if not 24 < n / 4 < 24.75]
    return record.Record(**dict(dict(
        simulated=False, server='uuid', source='host-a', destination='host-b',
        memory=512 * MIB, working_set=400 * MIB, bandwidth=256 * MIB,
        samples=samples, attempts=[pre_copy, post_copy],
        checks=[record.Check('guest', True, 'The guest works.')]), **fields))


class RecordTestCase(testtools.TestCase):

    def test_figures_of_a_completed_attempt(self):
        figures = run().figures(run().attempts[1])
        self.assertEqual({
            'request': 'nova live-migration --post-copy busy host-b',
            'post_copy': True,
            'result': 'completed',
            'seconds': 8,
            'total_seconds': 8,
            'time_to_switch_seconds': 4,
            'memory_complete_seconds': 6.5,
            'longest_silence_seconds': 0.75,
            'transferred_bytes': 768 * MIB,
            'transferred_to_ram': 1.5,
            'total_to_ideal': 4,
            'passes': 1,
        }, figures)

    def test_figures_of_an_aborted_attempt(self):
        figures = run().figures(run().attempts[0])
        self.assertEqual('aborted', figures['result'])
        self.assertEqual(17, figures['seconds'])
        self.assertEqual(0.25, figures['longest_silence_seconds'])
        for absent in ('total_seconds', 'total_to_ideal',
                       'time_to_switch_seconds', 'memory_complete_seconds'):
            self.assertIsNone(figures[absent])

    def test_an_attempt_that_failed(self):
        attempt = record.Attempt('nova live-migration', True)
        attempt.note(record.REQUESTED, 0)
        attempt.note(record.CANCELLED, 3)
        self.assertEqual('failed', run().figures(attempt)['result'])

    def test_a_silence_that_outlasts_the_attempt_counts_whole(self):
        silent = run(samples=[record.Sample(19, 1), record.Sample(27, 2),
                              record.Sample(35, 3)])
        self.assertEqual(8, silent.longest_silence(silent.attempts[1]))
        mute = run(samples=[])
        self.assertIsNone(mute.longest_silence(mute.attempts[1]))

    def test_passed(self):
        self.assertTrue(run().passed)
        self.assertFalse(run(checks=[]).passed)
        self.assertFalse(run(checks=[
            record.Check('guest', True, ''),
            record.Check('memory', False, '')]).passed)

    def test_figures_are_at_the_right(self):
        self.assertEqual(
            ['                              pre-copy  post-copy',
             'result                         aborted  completed',
             'total                                -      8.0 s'],
            run().table().splitlines()[:3])

    def test_table(self):
        rows = dict((line[:28].strip(), line[28:].split())
                    for line in run().table().splitlines())
        self.assertEqual(['aborted', 'completed'], rows['result'])
        self.assertEqual(['-', '8.0', 's'], rows['total'])
        self.assertEqual(['-', '4.0'], rows['total / (RAM / bandwidth)'])
        self.assertEqual(['4.0', '1.5'], rows['moved / RAM'])

    def test_json_holds_the_figures(self):
        written = json.loads(run(simulated=True).to_json())
        self.assertIs(True, written['simulated'])
        self.assertIn('simulated', written['hosts'])
        self.assertEqual(2, written['ideal_seconds'])
        for attempt, expected in zip(written['attempts'], run().attempts):
            attempt.pop('events')
            self.assertEqual(run().figures(expected), attempt)

    def test_thinned(self):
        samples = [record.Sample(moment, 0)
                   for moment in (0.01, 0.05, 0.12, 0.39, 0.4)]
        self.assertEqual(
            [0.01, 0.12, 0.39, 0.4],
            [sample.time for sample in record.thinned(samples, 0.1)])
