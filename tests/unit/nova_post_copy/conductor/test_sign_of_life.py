# SPDX-License-Identifier: Apache-2.0

import datetime

from nova import context as nova_context
from nova import objects
from nova import test
from oslo_db import exception as db_exception
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova_post_copy.compute import dropped_requests
from nova_post_copy.conductor import sign_of_life


class FakeEvent:
    """Is set when it was waited for so many times."""

    def __init__(self, times):
        self.left = times

    def wait(self, seconds):
        self.left -= 1
        return self.left < 0


class TestSignOfLife(test.TestCase):

    def setUp(self):
        super().setUp()
        self.context = nova_context.RequestContext(
            'user', 'project', is_admin=True)
        self.migration = objects.Migration(
            self.context, instance_uuid=uuids.server, status='accepted',
            source_compute='host-a', migration_type='live-migration')
        self.migration.create()
        self.migration.updated_at = (
            timeutils.utcnow() - datetime.timedelta(minutes=30))
        self.migration.save()

    def _show(self, times=1):
        sign_of_life._show(
            self.context, self.migration.id, FakeEvent(times))

    def _stored(self):
        return objects.Migration.get_by_id(self.context, self.migration.id)

    def _is_lost(self):
        return timeutils.is_older_than(
            self._stored().updated_at, dropped_requests.DROPPED_AFTER_S)

    def test_touched(self):
        self.assertTrue(self._is_lost())
        self._show()
        self.assertFalse(self._is_lost())

    def test_nothing_else_is_changed(self):
        changed = self._stored()
        changed.status = 'preparing'
        changed.dest_compute = 'host-b'
        changed.save()
        self._show()
        stored = self._stored()
        self.assertEqual(('preparing', 'host-b'),
                         (stored.status, stored.dest_compute))

    def test_database_is_away(self):
        save = objects.Migration.save
        errors = [db_exception.DBConnectionError()]

        def fails_once(migration):
            if errors:
                raise errors.pop()
            save(migration)

        self.stub_out('nova.objects.Migration.save', fails_once)
        self._show()
        self.assertTrue(self._is_lost())
        self._show()
        self.assertFalse(self._is_lost())

    def test_only_meanwhile(self):
        began = []
        self.stub_out('nova_post_copy.threads.spawn',
                      lambda *args: began.append(args))
        try:
            with sign_of_life.shown(self.migration):
                (_show, context, migration_id, over), = began
                self.assertFalse(over.is_set())
                raise ValueError()
        except ValueError:
            self.assertTrue(over.is_set())
        self.assertEqual(self.migration.id, migration_id)
        self.assertIsNot(self.context, context)

    def test_several_before_a_request_is_given_up(self):
        self.assertLessEqual(5 * sign_of_life.INTERVAL_S,
                             dropped_requests.DROPPED_AFTER_S)
