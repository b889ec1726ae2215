# SPDX-License-Identifier: Apache-2.0

from nova_post_copy.migration.cut_over import RETRY_INTERVAL_S
from nova_post_copy.migration.result import End
from tests.unit.nova_post_copy.migration import base
from tests.unit.nova_post_copy.migration import scripted
from tests.unit.nova_post_copy.migration.scripted import copying


class TestCutOver(base.MonitorTestCase):
    """The network follows the guest, not libvirt's call."""

    def setUp(self):
        super().setUp()
        self.requests.append('force-complete')
        self.source.become(job=copying(1))

    def test_libvirt_gives_up_after_its_call_has_returned(self):
        # The network fails at that moment; the guest has never left.
        self.source.at(3, state=scripted.MIGRATING)
        self.source.ends(17, scripted.libvirt_error('keepalive'),
                         state=scripted.RUNNING)
        self.assertIs(End.FAILED, self.watch().end)
        self.assertEqual(1, self.source.count('migrateStartPostCopy'))
        self.assertEqual(0, self.destination.cut_over)

    def test_as_soon_as_the_guest_has_left(self):
        self.source.at(3, state=scripted.POST_COPY)
        self.clock.at(2.9, lambda: self.assertEqual(
            0, self.destination.cut_over))
        self.clock.at(4.1, lambda: self.assertEqual(
            1, self.destination.cut_over))
        self.source.ends(30, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual(1, self.destination.cut_over)

    def test_once_more_while_neutron_does_not_answer(self):
        self.switches()
        self.destination.cut_overs.extend([False, False])
        self.source.ends(30, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual(3, self.destination.cut_over)

    def test_not_all_the_time(self):
        self.switches()
        self.destination.cut_overs.extend([False] * 100)
        self.source.ends(30, state=scripted.MIGRATED)
        self.watch()
        self.assertLessEqual(
            self.destination.cut_over, 1 + 30 / RETRY_INTERVAL_S)

    def test_after_a_restart(self):
        self.source.become(scripted.POST_COPY)
        self.source.at(5, state=scripted.MIGRATED, job={})
        self.watch(restarted=True)
        self.assertEqual(1, self.destination.cut_over)

    def test_stream_that_breaks_at_once(self):
        self.source.effects['migrateStartPostCopy'] = lambda: (
            self.source.become(scripted.BROKEN))
        self.source.ends(5, state=scripted.MIGRATED)
        self.watch()
        self.assertEqual(1, self.destination.cut_over)
