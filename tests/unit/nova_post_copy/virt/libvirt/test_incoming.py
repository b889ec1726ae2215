# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

import subprocess
import sys
from unittest import mock

from oslo_concurrency import processutils

from nova import test
from nova.tests import fixtures as nova_fixtures
from nova_post_copy.virt.libvirt import incoming

UUID = '6f2d2a1c-0a4e-4b5d-9f3c-2f1f0f0b7a11'
OTHER = 'c3a1a3d6-4cd1-4a7e-8a5b-0c6f6a1b2e22'


def _line(local: str, peer: str, pid: int, info: str) -> str:
    return ('0      96   %s %s users:(("qemu-system-x86",pid=%d,fd=20)) '
            'cubic wscale:10,10 rto:228 lastsnd:5 %s lastack:1532 '
            'minrtt:0.023\n' % (local, peer, pid, info))


class ParseTest(test.NoDBTestCase):

    def test_parse(self):
        found = list(incoming.parse(
            _line('192.0.2.2:49152', '192.0.2.1:39596', 7, 'lastrcv:4500')
            + _line('[::ffff:192.0.2.2]:49153', '[::ffff:192.0.2.1]:58150',
                    8, '')))

        self.assertEqual(
            [incoming.Stream('192.0.2.2:49152', '192.0.2.1:39596', 4.5, (7,)),
             incoming.Stream('[::ffff:192.0.2.2]:49153',
                             '[::ffff:192.0.2.1]:58150', 0.0, (8,))], found)
        self.assertEqual([49152, 49153], [stream.port for stream in found])

    def test_processes_that_cannot_be_seen(self):
        found, = incoming.parse(
            '0 0 192.0.2.2:49152 192.0.2.1:39596 cubic lastrcv:9000\n')

        self.assertEqual((), found.pids)


class BreakDeadTest(test.NoDBTestCase):

    def setUp(self) -> None:
        super().setUp()
        self.useFixture(nova_fixtures.PrivsepFixture())
        self.qemu = self._process(UUID)
        self.ended = []
        self.connections = ''
        self.stub_out('oslo_concurrency.processutils.execute', self._ss)

    def _process(self, uuid: str) -> int:
        process = subprocess.Popen(
            [sys.executable, '-c', 'print(flush=True); open(0).read()',
             '-uuid', uuid, '-display'],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(process.communicate)
        process.stdout.readline()   # the kernel shows its arguments
        return process.pid

    def _ss(self, *command: str) -> tuple[str, str]:
        if '--kill' not in command:
            return self.connections, ''
        self.ended.append((command[command.index('src') + 1],
                           command[command.index('dst') + 1]))
        return '', ''

    def test_dead_stream(self):
        self.connections = _line('192.0.2.2:49152', '192.0.2.1:39596',
                                 self.qemu, 'lastrcv:3000')

        self.assertEqual(1, incoming.break_dead(UUID))
        self.assertEqual([('192.0.2.2:49152', '192.0.2.1:39596')], self.ended)

    def test_others_are_left_alone(self):
        self.connections = (
            # It lives, it was resumed in the meantime.
            _line('192.0.2.2:49152', '192.0.2.1:39596', self.qemu,
                  'lastrcv:2999')
            # Its console; its disk in the network.
            + _line('192.0.2.2:5900', '192.0.2.9:40000', self.qemu,
                    'lastrcv:9000')
            + _line('192.0.2.2:40001', '192.0.2.1:6800', self.qemu,
                    'lastrcv:9000')
            # Another server on its way to this host; nobody that we know.
            + _line('192.0.2.2:49153', '192.0.2.1:39597',
                    self._process(OTHER), 'lastrcv:9000')
            + '0 0 192.0.2.2:49154 192.0.2.1:39598 cubic lastrcv:9000\n')

        self.assertEqual(0, incoming.break_dead(UUID))
        self.assertEqual([], self.ended)

    def test_without_the_program(self):
        for error in (FileNotFoundError(),
                      processutils.ProcessExecutionError()):
            with mock.patch.object(processutils, 'execute',
                                   side_effect=error):
                self.assertEqual(0, incoming.break_dead(UUID))
