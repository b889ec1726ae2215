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
        return self.now()

    def test_given_up(self):
        self.assertEqual(('error', None), self.find())
        self.assertEqual(
            [('give back destination', self.migration.id),
             ('remove ports', 'dest', True)], self.outside.done)
        self.assertIn('nova-conductor dropped the request', self.fault())
        self.assertEqual(vm_states.ACTIVE, self.instance.vm_state)

    def test_no_destination_yet(self):
        self.migration.dest_compute = None
        self.migration.save()
        self.assertEqual(('error', None), self.find())
        self.assertEqual([('give back destination', self.migration.id)],
                         self.outside.done)
        self.assertIn('live migration to another host failed', self.fault())

    def test_it_may_still_come(self):
        self.after = dropped_requests.DROPPED_AFTER_S - 30
        self.assertEqual(('accepted', 'migrating'), self.find())

    def test_it_has_come(self):
        self.assertEqual(('accepted', 'migrating'),
                         self.find(lambda migration: False))
        self.assert_untouched()

    def test_it_has_come_meanwhile(self):
        def claim(migration):
            self.assertEqual(self.migration.id, migration.id)
            self.status('queued')
            return True

        self.assertEqual(('queued', 'migrating'), self.find(claim))
        self.assert_untouched()

    def test_others(self):
        for fields in ({'post_copy': None}, {'source_compute': 'other'},
                       {'migration_type': 'resize'}):
            self.status('error')
            self.migration = self.migrates('accepted', **fields)
            self.assertEqual(('accepted', 'migrating'), self.find(), fields)
        self.assert_untouched()

    def test_too_late(self):
        self.assertFalse(dropped_requests.was_given_up(
            self.context, self.migration))
        arriving = self.migration.obj_clone()
        self.find()
        self.assertTrue(dropped_requests.was_given_up(self.context, arriving))
