# SPDX-License-Identifier: Apache-2.0

from nova.compute import task_states
from nova.compute import vm_states

from nova_post_copy.compute import arriving_requests
from tests.unit.nova_post_copy.compute import base


class TestArrivingRequest(base.ReconcileTestCase):
    """Whether it still suits its server."""

    def setUp(self):
        super().setUp()
        self.status('accepted')

    def refusal(self, **change):
        if change:
            self.change(**change)
        return arriving_requests.refusal(
            self.context, 'src', self.instance, self.migration)

    def test_as_it_was(self):
        self.assertIsNone(self.refusal())

    def test_reset(self):
        for vm_state in (vm_states.ACTIVE, vm_states.ERROR):
            self.assertIsNone(self.refusal(
                vm_state=vm_state, task_state=None))

    def test_left(self):
        self.assertIn('is on third', self.refusal(host='third'))

    def test_changed(self):
        self.assertIn('"soft-delete"', self.refusal(
            vm_state=vm_states.SOFT_DELETED, task_state=None))
        self.assertIn('"deleting"', self.refusal(
            vm_state=vm_states.ACTIVE, task_state=task_states.DELETING))

    def test_record_of_the_last_one(self):
        self.keep(migration_id=self.migration.id - 1)
        self.assertIn('has not finished', self.refusal())

    def test_another_is_not_over(self):
        for asked in (None, False, True):
            other = self.migrates('queued', asked)
            self.assertIn('ive migration %d ' % other.id, self.refusal())
            other.source_compute = 'third'
            other.save()
            self.assertIsNone(self.refusal())
