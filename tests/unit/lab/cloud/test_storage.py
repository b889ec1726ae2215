# SPDX-License-Identifier: Apache-2.0

import base64
import subprocess
import unittest
from unittest import mock

from lab import cli
from lab.cloud import preflight
from lab.cloud.services import ceph
from lab.cloud import storage
from lab import layout


def storage_of(*arguments):
    """Return what ``run`` takes for the kind of storage asked for."""
    return subprocess.run(
        ['bash', '-c', 'source <(sed -n "/^storage_of/,/^}/p" run); '
         'storage_of "$@"', 'run', *arguments],
        cwd=layout.ROOT, check=True, capture_output=True,
        text=True).stdout.strip()


class TestStorage(unittest.TestCase):
    def test_every_kind_is_known_everywhere(self):
        kinds = set(storage.KINDS)
        self.assertEqual(kinds, set(preflight._STORAGE))
        for kind in kinds:
            arguments = cli._parser().parse_args(['up', '--storage', kind])
            self.assertEqual(kind, arguments.storage)

    def test_packages_are_installed_by_what_was_asked_for(self):
        self.assertEqual('ceph', storage_of('up', '--storage', 'ceph'))
        self.assertEqual('shared', storage_of('up', '--storage=shared', 'x'))
        self.assertEqual('', storage_of('up', '--ports'))

    def test_the_memory_that_is_needed_follows(self):
        with mock.patch('os.sysconf', return_value=2 ** 16):    # 4 GiB
            lacks = {kind: any('of memory' in each
                               for each in preflight.machine(kind))
                     for kind in storage.KINDS}
        self.assertEqual(
            {'local': False, 'shared': False, 'ceph': True}, lacks)

    def test_only_a_shared_directory_is_one_for_all_hosts(self):
        directories = {name: kind.directory
                       for name, kind in storage.KINDS.items()}
        self.assertIsNone(directories['local'])
        self.assertIsNone(directories['ceph'])
        self.assertIsNotNone(directories['shared'])

    def test_keys_are_those_of_ceph(self):
        # ceph-authtool(8): type 1 (AES), creation time, length, secret
        key = base64.b64decode(ceph._new_key())
        self.assertEqual((1, 16, 28), (
            int.from_bytes(key[:2], 'little'),
            int.from_bytes(key[10:12], 'little'), len(key)))
