# SPDX-License-Identifier: Apache-2.0

from unittest import mock

import fixtures
from nova import test

from nova_post_copy.virt.libvirt import connections
from nova_post_copy.virt.libvirt import recovery_limits
from tests.unit.nova_post_copy.virt.libvirt import sockets


class FindTest(test.NoDBTestCase):

    def setUp(self) -> None:
        super().setUp()
        self.sockets = self.useFixture(sockets.Sockets())
        self.sockets.qemu_conf.write_text('')
        self.visible = True
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.connections.processes_are_visible',
            lambda programs: self.visible))

    def _assert_limit(self, text):
        limit, = recovery_limits.find()
        self.assertIn(text, limit)

    def test_none(self):
        self.assertEqual([], recovery_limits.find())

    def test_without_the_program(self):
        self.sockets.errors[False] = FileNotFoundError('no ss')
        self.visible = False
        self._assert_limit('from the package iproute2. Error: no ss')

    def test_container(self):
        self.visible = False
        self._assert_limit('PID namespace of the host')

    def test_ports_that_nobody_says(self):
        self.sockets.qemu_conf.unlink()
        self._assert_limit('on the ports 49152-49215')
        self.flags(migration_ports='61152-61215', group='post_copy')
        self.assertEqual([], recovery_limits.find())

    def test_privsep_has_no_helper(self):
        # As in upstream's own tests, or where sudo refuses.
        for error, text in ((RuntimeError('no helper'), 'no helper'),
                            (OSError(), 'OSError')):
            with mock.patch.object(connections, '_list', side_effect=error):
                self._assert_limit('does not start.')
                self._assert_limit('Error: ' + text)
