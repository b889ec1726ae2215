# SPDX-License-Identifier: Apache-2.0

import datetime
from unittest import mock

from nova.compute import vm_states
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

    def holds(self, *consumers):
        self.manager.reportclient._held.update(consumers)
