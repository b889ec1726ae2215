# SPDX-License-Identifier: Apache-2.0

import pathlib
import subprocess
from unittest import mock

import fixtures
from lab.cloud import process
from lab import errors
from lab import layout
from lab import wait
import testtools


class ProcessTest(testtools.TestCase):

    def setUp(self) -> None:
        super().setUp()
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.useFixture(fixtures.MonkeyPatch(
            'lab.cloud.process.RECORDS', folder / 'processes'))
        self.useFixture(fixtures.MockPatchObject(layout, 'LOGS', folder))
        self.process = process.Process('sleeper')
        self.addCleanup(self.process.end, 0)

    def _start(self, script: str = 'sleep 60') -> int:
        self.process.start(['sh', '-c', script])
        return self.process.pid

    def test_start_is_recorded(self):
        pid = self._start()

        self.assertTrue(self.process.is_alive())
        # Another command of the lab finds it, too.
        self.assertEqual([pid], [found.pid for found in process.recorded()])

    def test_start_twice_is_one_process(self):
        pid = self._start()

        self.assertEqual(pid, self._start())

    def test_end(self):
        pid = self._start()

        self.process.end()

        self.assertFalse(process.is_running(pid))
        self.assertEqual([], process.recorded())

    def test_end_takes_the_children(self):
        """Also those that its own end has left alone."""
        self._start('sleep 61 & echo $!; sleep 0.5')
        wait.until(lambda: not self.process.is_alive(), 'end of the shell', 5)
        child = int(self.process.log.read_text())
        self.assertTrue(process.is_running(child))

        self.process.end()

        self.assertFalse(process.is_running(child))

    def test_end_of_what_does_not_listen(self):
        pid = self._start('trap "" TERM; while :; do sleep 0.1; done')

        self.process.end(grace=0.3)

        self.assertFalse(process.is_running(pid))

    def test_pid_that_is_somebody_elses(self):
        """The record is of a process that ended; its pid is used again."""
        with subprocess.Popen(['sleep', '60']) as other:
            self.addCleanup(other.kill)
            self._start()
            record, = process.RECORDS.iterdir()
            _, start, boot = record.read_text().split()
            self.process.end()
            record.write_text('%d %s %s\n' % (other.pid, start + '0', boot))

            self.assertFalse(self.process.is_alive())
            self.process.end(0)

            self.assertIsNone(other.poll())
            other.kill()

    def test_record_of_an_earlier_boot(self):
        self._start()
        record, = process.RECORDS.iterdir()
        pid, start, boot = record.read_text().split()
        record.write_text('%s %s %s\n' % (pid, start, boot[::-1]))

        self.assertFalse(self.process.is_alive())
        record.write_text('%s %s %s\n' % (pid, start, boot))

    def test_run_that_fails_shows_the_log(self):
        log = layout.LOGS / 'command.log'

        failure = self.assertRaises(
            errors.LabError, process.run, ['sh', '-c', 'echo no room; exit 3'],
            'make room', log, 5)

        self.assertIn('the command to make room has failed', str(failure))
        self.assertIn('no room', str(failure))

    def test_run_that_takes_too_long(self):
        failure = self.assertRaises(
            errors.LabError, process.run, ['sleep', '60'], 'sleep',
            layout.LOGS / 'command.log', 0.2)

        self.assertIn('within 0.2 s', str(failure))

    def test_run_is_given_up_with_the_bring_up(self):
        with mock.patch.object(wait, 'given_up') as given_up:
            given_up.is_set.return_value = True
            self.assertRaises(errors.LabError, process.run, ['sleep', '60'],
                              'sleep', layout.LOGS / 'command.log', 60)
