# SPDX-License-Identifier: Apache-2.0

from nova import context as nova_context
from nova.network import model
from nova import objects
from nova import test
from nova.tests import fixtures as nova_fixtures
from nova.tests.unit import fake_instance

from nova_post_copy import exception
from nova_post_copy import notifications

EVENT = 'instance.live_migration_post_copy_recovery.'


class TestNotify(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.notifier = self.useFixture(
            nova_fixtures.NotificationFixture(self))
        self.context = nova_context.RequestContext('user', 'project')
        self.instance = fake_instance.fake_instance_obj(
            self.context, expected_attrs=['system_metadata', 'metadata'])
        self.instance.info_cache = objects.InstanceInfoCache(
            network_info=model.NetworkInfo())

    def _notify(self, phase, exc=None):
        notifications.notify(
            self.context, self.instance, 'src', phase, exc)
        (notification,) = self.notifier.versioned_notifications
        self.assertEqual('nova-compute:src', notification['publisher_id'])
        self.assertEqual('InstanceActionPayload',
                         notification['payload']['nova_object.name'])
        payload = notification['payload']['nova_object.data']
        self.assertEqual(self.instance.uuid, payload['uuid'])
        return notification, payload['fault']

    def test_start(self):
        notification, fault = self._notify(
            'start', exception.PostCopyInterrupted(
                host='src', dest='dest', reason='Broken pipe'))
        self.assertEqual((EVENT + 'start', 'ERROR'), (
            notification['event_type'], notification['priority']))
        fault = fault['nova_object.data']
        self.assertEqual('PostCopyInterrupted', fault['exception'])
        self.assertIn('runs on dest', fault['exception_message'])

    def test_end(self):
        notification, fault = self._notify('end')
        self.assertEqual((EVENT + 'end', 'INFO'), (
            notification['event_type'], notification['priority']))
        self.assertIsNone(fault)

    def test_error(self):
        notification, fault = self._notify('error', exception.PostCopyLost(
            host='src', dest='dest', reason='QEMU has exited'))
        self.assertEqual(EVENT + 'error', notification['event_type'])
        self.assertIn('QEMU has exited', fault['nova_object.data'][
            'exception_message'])

    def test_only_if_an_operator_wants_them(self):
        self.flags(notification_format='unversioned', group='notifications')
        notifications.notify(
            self.context, self.instance, 'src', 'end')
        self.assertEqual([], self.notifier.versioned_notifications)
