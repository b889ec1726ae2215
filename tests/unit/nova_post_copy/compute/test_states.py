# SPDX-License-Identifier: Apache-2.0

from nova.compute import task_states
from nova.compute import vm_states

from nova_post_copy.compute import record
from nova_post_copy.compute import states
from nova_post_copy.decisions.condition import Condition
from tests.unit.nova_post_copy.compute import base


class TestPutBack(base.ReconcileTestCase):
    """The states of a server whose migration goes on."""

    def put_back(self, vm_state, task_state=None, found=Condition.RUNNING):
        self.change(vm_state=vm_state, task_state=task_state)
        states.put_back(self.instance, found)
        self.instance.refresh()
        self.assertEqual(task_states.MIGRATING, self.instance.task_state)
        return self.instance.vm_state

    def test_reset(self):
        for vm_state in (vm_states.ACTIVE, vm_states.ERROR):
            for found in (Condition.RUNNING, Condition.POST_COPY,
                          Condition.BROKEN, Condition.ABSENT):
                self.assertEqual(vm_states.ACTIVE,
                                 self.put_back(vm_state, found=found))

    def test_paused(self):
        for vm_state in (vm_states.ACTIVE, vm_states.ERROR,
                         vm_states.PAUSED):
            self.assertEqual(vm_states.PAUSED, self.put_back(
                vm_state, found=Condition.PAUSED))
        # libvirt pauses guests by itself.
        self.assertEqual(vm_states.PAUSED, self.put_back(
            vm_states.PAUSED, found=Condition.POST_COPY))

    def test_what_no_reset_has_made(self):
        # Only the task state, which the steps that end the migration expect.
        for vm_state in (vm_states.SOFT_DELETED, vm_states.DELETED,
                         vm_states.STOPPED, vm_states.SUSPENDED,
                         vm_states.RESIZED, vm_states.RESCUED,
                         vm_states.SHELVED, vm_states.SHELVED_OFFLOADED):
            for found in (Condition.RUNNING, Condition.PAUSED,
                          Condition.POWERED_OFF):
                self.assertEqual(vm_state, self.put_back(
                    vm_state, found=found))

    def test_not_reset(self):
        self.change(vm_state=vm_states.ERROR)
        states.put_back(self.instance, Condition.RUNNING)
        self.instance.refresh()
        # What the monitor has made of it.
        self.assertEqual(vm_states.ERROR, self.instance.vm_state)

    def test_delete_is_remembered(self):
        for task_state, delete_type in (
                (task_states.DELETING, 'delete'),
                (task_states.SOFT_DELETING, 'soft_delete')):
            self.keep()
            self.change(task_state=task_state)
            states.put_back_here(
                self.manager, self.context, self.instance.uuid)
            self.assertEqual(('running', task_states.MIGRATING), self.now())
            self.assertEqual(
                delete_type, record.load(self.instance.uuid).delete_type)
