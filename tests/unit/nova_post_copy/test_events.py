# SPDX-License-Identifier: Apache-2.0

import fixtures
from nova import context as nova_context
from nova import objects
from nova import test
import oslo_messaging as messaging

from nova_post_copy import events


class TestEvents(test.TestCase):
    """What a user sees of the events of a live migration."""

    def setUp(self):
        super().setUp()
        self.flags(host='src')
        self.flags(conductor_timeout=1, group='post_copy')
        self.context = nova_context.RequestContext('user', 'project')
        self.instance = objects.Instance(
            self.context, project_id='project', host='src')
        self.instance.create()
        self.action = objects.InstanceAction.action_start(
            self.context, self.instance.uuid, 'live-migration')

    def start(self, event=events.DEGRADED):
        events.start(self.context, self.instance, event)

    def finish(self, details=None):
        events.finish(self.context, self.instance, events.DEGRADED, details)

    def event(self):
        (event,) = objects.InstanceActionEventList.get_by_action(
            nova_context.get_admin_context(), self.action.id)
        return event

    def assert_success(self, details):
        event = self.event()
        self.assertEqual(('Success', details), (event.result, event.details))
        self.assertIsNotNone(event.finish_time)

    def test_goes_on(self):
        self.start()
        event = self.event()
        self.assertEqual(
            ('compute_live_migration_post_copy_degraded', 'src', None, None),
            (event.event, event.host, event.result, event.finish_time))

    def test_success(self):
        self.start()
        self.finish()
        self.assert_success(None)

    def test_details_of_a_success(self):
        self.start_service('conductor')
        self.start()
        details = 'It had to wait for 10423 pages. ' * 20
        self.finish(details)
        self.assert_success(details)

    def test_without_a_conductor_that_keeps_details(self):
        self.start()
        self.finish('It had to wait.')
        self.assert_success(None)

    def test_where_there_never_was_such_a_conductor(self):
        # RabbitMQ says so at once; the driver of these tests does not.
        def never(*args, **kwargs):
            raise messaging.MessageUndeliverable(None, None, None, None)

        self.useFixture(fixtures.MonkeyPatch(
            'oslo_messaging.rpc.client._CallContext.call', never))
        self.start()
        self.finish('It had to wait.')
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
