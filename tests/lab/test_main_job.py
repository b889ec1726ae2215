# SPDX-License-Identifier: Apache-2.0

"""What the main job makes of a real cloud, on one of our own making.

No cloud is needed, but libvirt-python, which only this environment has.
"""

import pathlib
import time
import types

import fixtures
import testtools

from lab.demo import main_job
from lab import errors
from lab.instruments import heartbeat
from lab.instruments import record
from lab import layout

MIB = layout.MIB


class MainJobTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.statistics = {}
        self.useFixture(fixtures.MonkeyPatch(
            'lab.instruments.watch.Watch', lambda *args: types.SimpleNamespace(
                look=lambda: None, statistics=self.statistics,
                close=lambda: None)))
        pulse = heartbeat.Heartbeat()
        self.addCleanup(pulse.stop)
        self.limits = []
        hosts = {host.name: types.SimpleNamespace(
            limit_migration_network=self.limits.append)
            for host in layout.HOSTS}
        self.job = main_job.MainJob(
            types.SimpleNamespace(
                host=hosts.get, hosts=hosts, bandwidth=200 * MIB,
                serial_address=lambda server, host: None),
            print, types.SimpleNamespace(id='uuid', flavor={'ram': 512}),
            pulse)
        self.attempt = record.Attempt('nova live-migration', True, passes=2)

    def nova(self, script):
        """Put a ``nova`` command into the path of the lab's users."""
        folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        (folder / 'nova').write_text('#!/bin/sh\n' + script)
        (folder / 'nova').chmod(0o700)
        self.useFixture(fixtures.MonkeyPatch(
            'lab.cloud.content.openrc', lambda: 'PATH=%s:$PATH\n' % folder))

    def test_a_request_counts_from_when_it_goes_out(self):
        self.nova('[ "$*" = "--debug live-migration busy" ] || exit 1\n'
                  'sleep 0.2; echo "DEBUG REQ: curl -g -i -X GET"\n'
                  'sleep 0.2; echo "DEBUG REQ: curl -g -i -X POST"\n'
                  'sleep 0.2; echo "RESP: [202]"\n')
        begun = time.monotonic()
        requested = self.job._run_nova('nova live-migration busy')
        self.assertGreater(requested, begun + 0.4)
        self.assertLess(requested, time.monotonic() - 0.2)

    def test_a_refused_request(self):
        self.nova('echo "DEBUG REQ: curl"; echo "ERROR (Conflict): no"\n'
                  'exit 1\n')
        exc = self.assertRaises(errors.LabError, self.job._run_nova,
                                'nova live-migration busy')
        self.assertEqual('"nova live-migration busy" failed: '
                         'ERROR (Conflict): no', str(exc))

    def test_a_refusal_has_its_status(self):
        self.nova('echo "ERROR (Conflict): no (HTTP 409)"; exit 1\n')
        exc = self.assertRaises(errors.Refused, self.job._run_nova,
                                'nova live-migration busy')
        self.assertEqual(409, exc.http_status)

    def test_a_link_that_the_guest_outruns(self):
        for rate, bandwidth in ((1000, 200), (400, 200), (399, 190),
                                (100, 50), (1, 10), (0, 10)):
            self.assertEqual(bandwidth * MIB, main_job.link(
                200 * MIB, rate * MIB))

    def test_the_link_is_slowed_down_for_the_run_only(self):
        self.job._fit_link(1000 * MIB)
        self.job.close()
        self.assertEqual([], self.limits)
        self.job._fit_link(300 * MIB)
        self.assertEqual([150 * MIB] * 2, self.limits)
        self.assertEqual(150 * MIB, self.job._record.bandwidth)
        self.job.close()
        self.assertEqual([200 * MIB] * 2, self.limits[2:])

    def test_progress(self):
        self.assertEqual('not begun; guest silent for inf s',
                         self.job._look(self.attempt))
        self.statistics.update(memory_total=512 * MIB,
                               memory_remaining=128 * MIB)
        self.assertIn('pre-copy, pass 3: 75 %, 128 MiB left',
                      self.job._look(self.attempt))
        self.attempt.note(record.SWITCHED, 0)
        self.assertIn('post-copy: 75 %, 128 MiB left',
                      self.job._look(self.attempt))
