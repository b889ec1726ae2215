# SPDX-License-Identifier: Apache-2.0

from nova import context as nova_context
from nova import objects
from nova import test

from nova_post_copy import events


class EventsTestCase(test.TestCase):
    """A live migration, and what a user sees of its events."""

    def setUp(self):
        super().setUp()
        self.flags(host='src')
        self.context = nova_context.RequestContext('user', 'project')
        self.instance = objects.Instance(
            self.context, project_id='project', host='src')
        self.instance.create()
        self.action = objects.InstanceAction.action_start(
            self.context, self.instance.uuid, 'live-migration')

    def start(self, event=events.DEGRADED):
        events.start(self.context, self.instance, event)

    def event(self):
        (event,) = objects.InstanceActionEventList.get_by_action(
            nova_context.get_admin_context(), self.action.id)
        return event

    def assert_success(self, details):
        event = self.event()
        self.assertEqual(('Success', details), (event.result, event.details))
        self.assertIsNotNone(event.finish_time)


class TestEvents(EventsTestCase):

    def test_goes_on(self):
        self.start()
        event = self.event()
        self.assertEqual(
            ('compute_live_migration_post_copy_degraded', 'src', None, None),
            (event.event, event.host, event.result, event.finish_time))

    def test_success(self):
        self.start()
        events.finish(self.context, self.instance, events.DEGRADED)
        self.assert_success(None)

    def test_failure(self):
        for event in (events.DEGRADED, events.RECOVERY):
            self.action = objects.InstanceAction.action_start(
                self.context, self.instance.uuid, 'live-migration')
            self.start(event)
            events.fail(self.context, self.instance, event,
                        'The memory is lost.')
            failed = self.event()
            self.assertEqual(
                ('Error', 'The memory is lost.'),
                (failed.result, failed.details))
            self.context = nova_context.RequestContext('user', 'project')
