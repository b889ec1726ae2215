# SPDX-License-Identifier: Apache-2.0

from lab.simulation import names
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.migration.result import End
from tests.unit.nova_post_copy.migration import base
from tests.unit.nova_post_copy.migration import scripted
from tests.unit.nova_post_copy.migration.scripted import copying


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
        for nothing in (Condition.ABSENT, Condition.SHUTOFF):
            self.source.become(scripted.MIGRATING)
            self.destination.condition = nothing
            self.assertIs(End.FAILED, self.watch(restarted=True).end)
        self.assertEqual(['resume', 'resume'], self._asked())

    def test_nothing_is_done_without_an_answer(self):
        for nobody_knows in (None, Condition.UNKNOWN, Condition.MIGRATING,
                             Condition.BROKEN):
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
