# SPDX-License-Identifier: Apache-2.0

import time

from nova import context as nova_context
from nova import rpc
from nova import service
from nova import test
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.conductor import rpcapi
from nova_post_copy import exception


class TestPing(test.TestCase):

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        self.flags(conductor_timeout=1, group='post_copy')
        self.api = rpcapi.PostCopyConductorAPI()

    def _assert_unavailable(self):
        started = time.monotonic()
        self.assertRaises(exception.PostCopyConductorUnavailable,
                          self.api.ping, self.context)
        # Not [DEFAULT] rpc_response_timeout, which is a minute.
        self.assertLess(time.monotonic() - started, 5)

    def test_extended_conductor(self):
        self.start_service('conductor')
        self.api.ping(self.context)

    def test_no_conductor(self):
        self._assert_unavailable()

    def test_unextended_conductor(self):
        self.stub_out('nova.service.SERVICE_MANAGERS', {
            **service.SERVICE_MANAGERS,
            'nova-conductor': 'nova.conductor.manager.ConductorManager'})
        self.start_service('conductor')
        self._assert_unavailable()

    def test_stopped_conductor(self):
        conductor = self.start_service('conductor')
        self.api.ping(self.context)
        conductor.stop()
        self._assert_unavailable()


class TestFinishEvent(test.TestCase):

    def _finish(self):
        rpcapi.PostCopyConductorAPI().finish_event(
            nova_context.get_admin_context(), uuids.instance, 'event',
            'It was quick.')

    def test_conductor_of_an_earlier_release(self):
        class Endpoint:
            target = messaging.Target(namespace=rpcapi.NAMESPACE,
                                      version='1.0')

        server = rpc.get_server(
            messaging.Target(topic=rpcapi.RPC_TOPIC, server='conductor'),
            [Endpoint()])
        server.start()
        self.addCleanup(server.stop)
        self.assertRaises(messaging.MessagingException, self._finish)

    def test_no_conductor(self):
        self.flags(conductor_timeout=1, group='post_copy')
        self.assertRaises(messaging.MessagingTimeout, self._finish)
