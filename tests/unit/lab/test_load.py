# SPDX-License-Identifier: Apache-2.0

import pathlib
import subprocess
import sys
import time
import types

import fixtures
import testtools

from lab import load


class LoadTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.started = []

        class Recorded(subprocess.Popen):
            def __init__(loop, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.started.append(loop)

        self.useFixture(fixtures.MonkeyPatch(
            'lab.load.subprocess', types.SimpleNamespace(Popen=Recorded)))

    def test_loops_end_with_what_they_load_also_when_it_fails(self):
        def fail():
            with load.busy_loops(2):
                self.assertEqual([None, None],
                                 [loop.poll() for loop in self.started])
                raise ZeroDivisionError

        self.assertRaises(ZeroDivisionError, fail)
        self.assertEqual([-9, -9], [loop.returncode for loop in self.started])

    def test_no_loops(self):
        with load.busy_loops(0):
            self.assertEqual([], self.started)

    def test_loops_end_with_a_parent_that_is_killed(self):
        with subprocess.Popen(
                [sys.executable, '-c', 'import os, subprocess, sys\n'
                 'from lab import load\n'
                 'start = subprocess.Popen\n'
                 'def told(*args, **options):\n'
                 '    loop = start(*args, **options)\n'
                 '    print(loop.pid, flush=True)\n'
                 '    return loop\n'
                 'subprocess.Popen = told\n'
                 'with load.busy_loops(1):\n'
                 '    sys.stdin.read()\n'
                 '    os.kill(os.getpid(), 9)'],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                text=True) as parent:
            loop = pathlib.Path('/proc', parent.stdout.readline().strip())
            self.assertTrue(loop.exists())
        end = time.monotonic() + 60
        while loop.exists() and 'Z' not in (
                loop / 'stat').read_text().rpartition(')')[2].split()[0]:
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
