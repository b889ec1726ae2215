# SPDX-License-Identifier: Apache-2.0

from lab.simulation import names
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import stranded
from nova_post_copy.migration.result import End
from tests.unit.nova_post_copy.migration import base
from tests.unit.nova_post_copy.migration import scripted
from tests.unit.nova_post_copy.migration.scripted import copying


class TestShutdown(base.MonitorTestCase):
    """libvirt 11.3 and newer shut a domain down that has left."""

    def test_on_the_way_to_shut_off(self):
        self.source.operation.set_result(
            scripted.libvirt_error('connection lost'))
        for restarted in (False, True):
            self.source.become(scripted.SHUTTING_DOWN, {})
            self.source.at(self.clock.now + 3, state=scripted.MIGRATED)
            self.assertIs(End.COMPLETED, self.watch(restarted=restarted).end)
        self.assertEqual([], self.source.asked)


class TestBetween(base.MonitorTestCase):
    """The guest stands still, and libvirt has forgotten its job."""

    def setUp(self):
        super().setUp()
        self.source.become(scripted.MIGRATING)
        self.source.effects['resume'] = lambda: self.source.become(
            scripted.RUNNING)
        self.source.effects['destroy'] = lambda: self.source.become(
            scripted.CRASHED)

    def _asked(self):
        return [name for name, *_args in self.source.asked]

    def test_for_a_moment(self):
        self.source.at(5, state=scripted.MIGRATED)
        self.assertIs(End.COMPLETED, self.watch(restarted=True).end)
        self.assertEqual([], self._asked())

    def test_as_long_as_its_job_runs(self):
        self.source.become(job=copying(2, 0))
        self.source.at(60, state=scripted.MIGRATED, job={})
        self.assertIs(End.COMPLETED, self.watch(restarted=True).end)
        self.assertNotIn('destroy', self._asked())
        self.assertNotIn('resume', self._asked())

    def test_runs_on_the_destination(self):
        self.destination.condition = Condition.RUNNING
        self.assertEqual((End.COMPLETED, None, True),
                         self.watch(restarted=True))
        self.assertEqual(['destroy'], self._asked())

    def test_did_not_get_to_the_destination(self):
        self.destination.condition = Condition.ABSENT
        self.assertIs(End.FAILED, self.watch(restarted=True).end)
        self.assertEqual(['resume'], self._asked())
        # It has said so several times, and each time it was asked anew.
        self.assertGreaterEqual(self.clock.now, 10 + stranded.SURE_FOR_S)

    def test_absent_once(self):
        # A destination whose libvirtd has just been started, for example.
        self.destination.condition = Condition.ABSENT
        self.clock.at(35, lambda: setattr(
            self.destination, 'condition', Condition.RUNNING))
        self.assertEqual((End.COMPLETED, None, True),
                         self.watch(restarted=True))
        self.assertEqual(['destroy'], self._asked())

    def test_absent_after_the_switch(self):
        self.destination.condition = Condition.ABSENT
        self.story.switched = True
        self.assertIs(End.LOST, self.watch(restarted=True).end)
        self.assertEqual([], self._asked())

    def test_absent_after_a_switch_that_libvirt_did_not_answer(self):
        self.source.become(scripted.RUNNING, copying(2))
        self.requests.append('force-complete')

        def fail():
            self.source.become(scripted.MIGRATING, {})
            raise names.connection_lost()
        self.source.effects['migrateStartPostCopy'] = fail
        self.source.operation.set_result(names.connection_lost())
        self.destination.condition = Condition.ABSENT
        self.assertIs(End.LOST, self.watch().end)
        self.assertEqual(0, self.source.count('resume'))
        # Nor is it said that it was not switched.
        self.assertNotIn('pre-copy', self.story.told[1:])

    def test_absent_and_the_database_is_away(self):
        self.destination.condition = Condition.ABSENT
        self.destination.database = False
        self.clock.at(200, lambda: (
            self.assertEqual([], self._asked()),
            setattr(self.destination, 'database', True)))
        self.assertIs(End.FAILED, self.watch(restarted=True).end)
        self.assertGreaterEqual(self.clock.now, 200)

    def test_absent_and_given_up(self):
        self.destination.condition = Condition.ABSENT
        self.destination.given_up = True
        self.assertIs(End.LOST, self.watch(restarted=True).end)
        self.assertEqual([], self._asked())

    def test_shut_off_is_no_proof(self):
        self.destination.condition = Condition.SHUTOFF
        self.assertIs(End.LOST, self.watch(restarted=True).end)
        self.assertEqual([], self._asked())

    def test_guest_was_shut_down_on_the_destination(self):
        self.destination.condition = Condition.POWERED_OFF
        self.assertEqual((End.COMPLETED, None, True),
                         self.watch(restarted=True))
        self.assertEqual(['destroy'], self._asked())

    def test_nothing_is_done_without_an_answer(self):
        for nobody_knows in (None, Condition.UNKNOWN, Condition.MIGRATING,
                             Condition.BROKEN, Condition.PAUSED,
                             Condition.IO_ERROR):
            self.destination.condition = nobody_knows
            self.source.at(self.clock.now + 100, state=scripted.MIGRATED)
            self.source.become(scripted.MIGRATING)
            self.assertIs(End.COMPLETED, self.watch(restarted=True).end)
        self.assertEqual([], self._asked())

    def test_refused_by_libvirt(self):
        self.destination.condition = Condition.RUNNING
        self.source.errors['destroy'].append(names.busy())
        self.assertIs(End.COMPLETED, self.watch(restarted=True).end)
        self.assertEqual(['destroy'], self._asked())
