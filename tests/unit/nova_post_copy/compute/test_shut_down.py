# SPDX-License-Identifier: Apache-2.0

from nova.compute import power_state
from nova.compute import vm_states
from nova import objects

from nova_post_copy.decisions.condition import Condition
from tests.unit.nova_post_copy.compute import test_manager

UPSTREAM = 'nova.compute.manager.ComputeManager.'


class TestShutDown(test_manager.ManagerTestCase):
    """A guest has powered itself off during its migration."""

    def setUp(self):
        super().setUp()
        self.instance.vm_state = vm_states.ACTIVE
        self.instance.power_state = power_state.RUNNING
        self.found = Condition.POWERED_OFF
        self.ours = objects.Migration()
        self.ended = []
        self.manager.driver.post_copy_condition = lambda instance: self.found
        self.manager.driver.end_shut_down = self.ended.append
        self.replace('nova_post_copy.compute.shut_down.unfinished',
                     lambda context, uuid: self.ours)
        for name in ('_do_post_live_migration_at_destination',
                     '_rollback_live_migration'):
            self.does(UPSTREAM + name)
        for name in ('states.put_back_here', 'bindings.activate',
                     'closing.close'):
            self.does(test_manager.COMPUTE + name)

    def arrive(self):
        self.manager._do_post_live_migration_at_destination(
            self.context, self.instance, False)
        self.assertEqual('_do_post_live_migration_at_destination',
                         self.done[-1])
        return self.instance.vm_state, self.instance.power_state

    def roll_back(self):
        self.manager._rollback_live_migration(
            self.context, self.instance, 'dest', self.migrate_data, 'error')
        self.assertIn('_rollback_live_migration', self.done)
        return self.instance.vm_state, self.instance.power_state

    def test_arrives_as_stopped(self):
        for self.found in (Condition.POWERED_OFF, Condition.SHUTTING_DOWN):
            self.instance.vm_state = vm_states.ACTIVE
            self.assertEqual((vm_states.STOPPED, power_state.SHUTDOWN),
                             self.arrive())
        self.assertEqual([self.instance] * 2, self.ended)

    def test_arrives_running(self):
        for self.found in (Condition.RUNNING, Condition.IO_ERROR,
                           Condition.SHUTOFF, Condition.UNKNOWN):
            self.assertEqual((vm_states.ACTIVE, power_state.RUNNING),
                             self.arrive())
        self.assertEqual([], self.ended)

    def test_migration_of_others(self):
        self.ours = None
        self.assertEqual((vm_states.ACTIVE, power_state.RUNNING),
                         self.arrive())

    def test_rolled_back_as_stopped(self):
        self.keep()
        self.assertEqual((vm_states.STOPPED, power_state.SHUTDOWN),
                         self.roll_back())

    def test_rolled_back_running(self):
        self.keep()
        self.found = Condition.RUNNING
        self.assertEqual((vm_states.ACTIVE, power_state.RUNNING),
                         self.roll_back())

    def test_rolled_back_without_a_record(self):
        self.assertEqual((vm_states.ACTIVE, power_state.RUNNING),
                         self.roll_back())
