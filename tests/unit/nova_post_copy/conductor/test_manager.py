# SPDX-License-Identifier: Apache-2.0

import threading

from nova import context as nova_context
from nova.db.main import api as main_db_api
from nova import exception as nova_exception
from nova import objects
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids
import sqlalchemy as sa

from nova_post_copy.conductor import manager
from nova_post_copy.conductor import rpcapi
from nova_post_copy import exception


class TestConductorManager(test.TestCase):

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()

    def test_is_the_manager_of_the_service(self):
        self.assertIsInstance(self.start_service('conductor').manager,
                              manager.ConductorManager)

    def test_does_not_start_without_the_column(self):
        with main_db_api.get_engine().begin() as connection:
            connection.execute(
                sa.text('ALTER TABLE migrations DROP COLUMN post_copy'))
        exc = self.assertRaises(
            exception.PostCopySchemaMissing,
            self.start_service, 'conductor')
        self.assertIn('nova-post-copy-manage db sync', str(exc))

    def test_shutdown_waits_for_a_task(self):
        # nova.test sets it to 0.
        self.flags(manager_shutdown_timeout=30)
        started = threading.Event()
        go_on = threading.Event()
        done = []

        def live_migrate_instance(task_manager, context, instance, *args):
            started.set()
            go_on.wait(10)
            done.append(task_manager.post_copy)

        self.stub_out('nova_post_copy.conductor.task_manager.'
                      'ComputeTaskManager.live_migrate_instance',
                      live_migrate_instance)
        conductor = self.start_service('conductor')
        rpcapi.PostCopyConductorAPI().live_migrate_instance(
            self.context, objects.Instance(uuid=uuids.instance),
            {'host': None}, False, None, objects.RequestSpec(),
            post_copy=False)
        self.assertTrue(started.wait(10))

        timer = threading.Timer(0.2, go_on.set)
        timer.start()
        self.addCleanup(timer.join)
        conductor.stop()
        self.assertEqual([False], done)


class TestFinishEvent(test.TestCase):
    """An event that ends well, and says how it was."""

    EVENT = 'compute_live_migration_post_copy_degraded'

    def setUp(self):
        super().setUp()
        self.start_service('conductor')
        self.context = nova_context.RequestContext('user', 'project')
        self.instance = objects.Instance(self.context, project_id='project')
        self.instance.create()
        self.action = objects.InstanceAction.action_start(
            self.context, self.instance.uuid, 'live-migration')

    def finish(self, event=EVENT):
        rpcapi.PostCopyConductorAPI().finish_event(
            self.context, self.instance.uuid, event, 'It was quick.')

    def events(self):
        return objects.InstanceActionEventList.get_by_action(
            nova_context.get_admin_context(), self.action.id)

    def test_success_with_details(self):
        for name in ('compute_live_migration', self.EVENT):
            objects.InstanceActionEvent.event_start(
                self.context, self.instance.uuid, name, host='src')
        self.finish()
        of_upstream, ours = sorted(
            self.events(), key=lambda event: event.event)
        self.assertEqual(
            (self.EVENT, 'Success', 'It was quick.', 'src'),
            (ours.event, ours.result, ours.details, ours.host))
        self.assertGreaterEqual(ours.finish_time, ours.start_time)
        self.assertIsNone(of_upstream.finish_time)

    def test_no_such_event(self):
        self.assertRaises(nova_exception.InstanceActionEventNotFound,
                          self.finish)

    def test_no_such_action(self):
        self.context = nova_context.RequestContext('user', 'project')
        self.assertRaises(nova_exception.InstanceActionNotFound, self.finish)
