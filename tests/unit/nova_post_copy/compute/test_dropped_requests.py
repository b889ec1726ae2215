# SPDX-License-Identifier: Apache-2.0

import datetime
from unittest import mock

import fixtures
from nova.compute import task_states
from nova.compute import vm_states
from nova import exception as nova_exception
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova_post_copy.compute import dropped_requests
from tests.unit.nova_post_copy.compute import base


class TestDroppedRequest(base.ReconcileTestCase):
    """The conductor was killed while it worked on the request."""

    def setUp(self):
        super().setUp()
        self.status('accepted')
        self.after = dropped_requests.DROPPED_AFTER_S + 1

    def find(self, claim=lambda migration: True):
        later = timeutils.utcnow() + datetime.timedelta(seconds=self.after)
        with mock.patch.object(timeutils, 'utcnow', return_value=later):
            dropped_requests.give_up(self.manager, self.context, claim)

    def test_given_up(self):
        self.find()
        self.assertEqual(('error', None), self.now())
        self.assertEqual(
            [('give back destination', self.migration.id),
             ('remove ports', 'dest', True)], self.outside.done)
        self.assertIn('nova-conductor dropped the request', self.fault())
        self.assertEqual(vm_states.ACTIVE, self.instance.vm_state)

    def test_no_destination_yet(self):
        self.migration.dest_compute = None
        self.migration.save()
        self.find()
        self.assertEqual(('error', None), self.now())
        self.assertEqual([('give back destination', self.migration.id)],
                         self.outside.done)
        self.assertIn('live migration to another host failed', self.fault())

    def test_it_may_still_come(self):
        self.after = dropped_requests.DROPPED_AFTER_S - 30
        self.find()
        self.assertEqual(('accepted', 'migrating'), self.now())

    def test_it_has_come(self):
        self.find(lambda migration: False)
        self.assertEqual(('accepted', 'migrating'), self.now())
        self.assert_untouched()

    def test_it_has_come_meanwhile(self):
        def claim(migration):
            self.assertEqual(self.migration.id, migration.id)
            self.status('queued')
            return True

        self.find(claim)
        self.assertEqual(('queued', 'migrating'), self.now())
        self.assert_untouched()

    def test_others(self):
        for fields in ({'post_copy': None}, {'source_compute': 'other'},
                       {'migration_type': 'resize'}):
            self.status('error')
            self.migration = self.migrates('accepted', **fields)
            self.find()
            self.assertEqual(('accepted', 'migrating'), self.now(), fields)
        self.assert_untouched()

    def test_an_evacuation_has_taken_it_for_its_own(self):
        for status in ('pre-migrating', 'done'):
            self.status(status)
            self.migration.dest_compute = 'third'
            self.migration.save()
            self.change(host='third', task_state=None)
            self.holds(self.migration.uuid)
            self.find()
            self.assertEqual(('error', None), self.now())
            self.assertFalse(self.manager.reportclient._held)
        self.assertIn('did not begin', self.fault())

    def test_ended_by_an_evacuation_that_has_failed(self):
        self.status('failed')
        self.change(task_state=None, vm_state=vm_states.ERROR)
        self.holds(self.migration.uuid)
        self.ignore()
        self.assertEqual([('give back destination', self.migration.id),
                          ('remove ports', 'dest', True)], self.outside.done)
        self.assertEqual(('failed', None), self.now())
        self.assertEqual(vm_states.ERROR, self.instance.vm_state)

    def test_evacuated_and_given_up_before_it_arrives(self):
        # The row has named the destination of the evacuation.
        self.status('error')
        self.change(host='third', task_state=None)
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.ComputeNode.get_by_host_and_nodename',
            lambda cls, *args: mock.Mock(uuid=uuids.node)))
        self.migration.dest_node = 'node-dest'
        self.ignore()
        self.assertEqual([('release of', self.instance.uuid, uuids.node),
                          ('remove ports', 'dest', True)], self.outside.done)

    def test_too_late(self):
        self.assertFalse(dropped_requests.was_given_up(
            self.context, self.migration))
        arriving = self.migration.obj_clone()
        self.find()
        self.assertTrue(dropped_requests.was_given_up(self.context, arriving))

    def ignore(self):
        dropped_requests.ignore(self.manager, self.context, self.migration)

    def test_ignored(self):
        self.holds(self.instance.uuid)
        self.ignore()
        self.assertEqual([], self.outside.done)

    def test_server_is_deleted_meanwhile(self):
        def claim(migration):
            self.instance.destroy()
            return True

        self.holds(self.instance.uuid, self.migration.uuid)
        self.find(claim)
        self.assertEqual([('release', 'migration'), ('release', 'instance')],
                         self.outside.done)

    def test_arrives_when_the_server_was_deleted(self):
        self.instance.destroy()
        # A conductor claims the destination after that.
        self.holds(self.instance.uuid)
        self.ignore()
        self.assertEqual([('release', 'instance')], self.outside.done)

    def test_forgotten(self):
        # Deleted before the row of the migration was made.
        self.instance.destroy()
        self.migration = self.migrates('accepted')
        self.holds(self.instance.uuid, self.migration.uuid)
        dropped_requests.forget(self.manager, self.context, self.migration)
        self.assertEqual([('release', 'migration'), ('release', 'instance')],
                         self.outside.done)
        self.assertEqual('error', objects.Migration.get_by_id(
            self.context, self.migration.id).status)

    def holds(self, *consumers):
        self.manager.reportclient._held.update(consumers)


class TestRefused(base.ReconcileTestCase):
    """The server has changed when its request reaches the source."""

    def setUp(self):
        super().setUp()
        self.status('accepted')
        self.migration.dest_node = 'node-dest'
        self.migration.save()
        self.manager.reportclient._held.add(self.migration.uuid)
        self.nodes = {'node-dest': mock.Mock(uuid=uuids.node)}
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.ComputeNode.get_by_host_and_nodename',
            lambda cls, context, host, node: self._node(host, node)))

    def _node(self, host, node):
        if node not in self.nodes:
            raise nova_exception.ComputeHostNotFound(host=host)
        return self.nodes[node]

    def refuse(self, **change):
        self.change(**change)
        before = self.instance.vm_state, self.instance.task_state
        dropped_requests.refuse(self.manager, self.context, self.instance,
                                self.migration, 'why')
        status, task_state = self.now()
        return status, before == (self.instance.vm_state, task_state)

    def test_still_here(self):
        self.assertEqual(('error', False), self.refuse())
        self.assertIsNone(self.instance.task_state)
        self.assertEqual([('give back destination', self.migration.id),
                          ('remove ports', 'dest', True)], self.outside.done)
        self.assertIn('still runs on src', self.fault())

    def test_evacuated(self):
        self.assertEqual(('error', True), self.refuse(
            host='third', task_state=None))
        # Reverted, the server would have nothing where it is.
        self.assertEqual([('give back source', self.migration.id),
                          ('release of', self.instance.uuid, uuids.node),
                          ('remove ports', 'dest', True)], self.outside.done)
        self.assertIn('from src to dest did not begin', self.fault())
        self.assertIn('why', self.fault())

    def test_evacuated_and_migrating_again(self):
        self.assertEqual(('error', True), self.refuse(host='third'))

    def test_evacuated_to_its_destination(self):
        self.assertEqual(('error', True), self.refuse(
            host='dest', task_state=None))
        self.assertEqual([('give back source', self.migration.id)],
                         self.outside.done)

    def test_evacuated_and_on_its_way_to_the_same_destination(self):
        self.migrates('running', None, source_compute='third')
        self.assertEqual(('error', True), self.refuse(host='third'))
        self.assertEqual([('give back source', self.migration.id)],
                         self.outside.done)

    def test_the_destination_was_removed(self):
        self.nodes.clear()
        self.assertEqual(('error', True), self.refuse(
            host='third', task_state=None))

    def test_another_holds_what_the_server_has_here(self):
        # Then the conductor moves nothing, and the scheduler only adds.
        self.manager.reportclient._held.clear()
        self.migrates('running', None, dest_compute='third')
        self.refuse()
        self.assertIn(('release of', self.instance.uuid, uuids.node),
                      self.outside.done)

    def test_being_evacuated(self):
        # Whatever is allocated to the server is changing.
        for host in ('src', 'third'):
            for task_state in (task_states.REBUILDING,
                               task_states.REBUILD_SPAWNING):
                self.assertEqual(('accepted', True), self.refuse(
                    host=host, task_state=task_state))
        self.assert_untouched()
        self.assertIsNone(self.fault())
        # It is found again when that is over.
        self.change(task_state=None)
        later = timeutils.utcnow() + datetime.timedelta(
            seconds=dropped_requests.DROPPED_AFTER_S + 1)
        with mock.patch.object(timeutils, 'utcnow', return_value=later):
            dropped_requests.give_up(
                self.manager, self.context, lambda migration: True)
        self.assertEqual(('error', None), self.now())
        self.assertEqual(('give back source', self.migration.id),
                         self.outside.done[0])

    def test_another_goes_to_the_same_destination(self):
        for post_copy in (None, True):
            self.status('accepted')
            other = self.migrates('running', post_copy)
            self.refuse(task_state=task_states.MIGRATING)
            self.assertEqual('error', self.now()[0])
            self.assertNotIn(('remove ports', 'dest', True),
                             self.outside.done)
            other.status = 'error'
            other.save()

    def test_softly_deleted(self):
        for vm_state, task_state in (
                (vm_states.SOFT_DELETED, None),
                (vm_states.ACTIVE, task_states.SOFT_DELETING)):
            self.status('accepted')
            self.outside.done.clear()
            self.assertEqual(('error', True), self.refuse(
                vm_state=vm_state, task_state=task_state))
            # It is still here.
            self.assertEqual(('give back destination', self.migration.id),
                             self.outside.done[0])

    def test_said_of_a_softly_deleted_one(self):
        self.refuse(vm_state=vm_states.SOFT_DELETED, task_state=None)
        self.assertNotIn('still runs', self.fault())

    def test_deleted_at_the_same_moment(self):
        self.manager.reportclient._held.add(self.instance.uuid)
        self.change(task_state=task_states.DELETING)
        deleting = objects.Instance.get_by_uuid(
            self.context, self.instance.uuid)
        self.manager._revert_allocation = (
            lambda *args: self.instance.destroy())
        dropped_requests.refuse(
            self.manager, self.context, deleting, self.migration, 'why')
        self.assertEqual(set(), self.manager.reportclient._held)
