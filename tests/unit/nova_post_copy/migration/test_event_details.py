# SPDX-License-Identifier: Apache-2.0

import fixtures
import oslo_messaging as messaging

from nova_post_copy import events
from nova_post_copy.migration import event_details
from tests.unit.nova_post_copy import test_events


class TestEventDetails(test_events.EventsTestCase):

    def setUp(self):
        super().setUp()
        self.flags(conductor_timeout=1, group='post_copy')

    def finish(self, details):
        event_details.finish(
            self.context, self.instance, events.DEGRADED, details)

    def test_details_of_a_success(self):
        self.start_service('conductor')
        self.start()
        details = 'Pages fetched on demand: 10423. ' * 20
        self.finish(details)
        self.assert_success(details)

    def test_without_a_conductor_that_keeps_details(self):
        self.start()
        self.finish('Pages fetched on demand: 1.')
        self.assert_success(None)

    def test_where_there_never_was_such_a_conductor(self):
        # RabbitMQ says so at once; the driver of these tests does not.
        def never(*args, **kwargs):
            raise messaging.MessageUndeliverable(None, None, None, None)

        self.useFixture(fixtures.MonkeyPatch(
            'oslo_messaging.rpc.client._CallContext.call', never))
        self.start()
        self.finish('Pages fetched on demand: 1.')
        self.assert_success(None)
