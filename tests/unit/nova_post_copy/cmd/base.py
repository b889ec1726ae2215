# SPDX-License-Identifier: Apache-2.0

import os
import subprocess
import sys

import fixtures
from nova import test


class CommandTestCase(test.NoDBTestCase):
    """A command itself, in a process where nothing has joined."""

    MODULE: str

    def _run(self, *args, conf=''):
        path = self.useFixture(fixtures.TempDir()).join('nova.conf')
        with open(path, 'w') as nova_conf:
            nova_conf.write('[DEFAULT]\ntransport_url = fake:/\n' + conf)
        return subprocess.run(
            [sys.executable, '-W', 'ignore', '-c',
             'import sys; from nova_post_copy.cmd import %s as command; '
             'sys.exit(command.main())' % self.MODULE,
             '--config-file', path, *args],
            env={**os.environ, 'PYTHONPATH': os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_unknown_command(self):
        result = self._run('unknown')
        self.assertEqual(2, result.returncode)
        self.assertIn('invalid choice', result.stderr)
