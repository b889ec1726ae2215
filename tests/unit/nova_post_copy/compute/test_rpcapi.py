# SPDX-License-Identifier: Apache-2.0

from unittest import mock

from nova.compute import rpcapi as upstream
from nova import context as nova_context
from nova import exception
from nova.objects import base as objects_base
from nova import rpc
from nova import test
from nova.tests.unit import fake_instance
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import endpoint
from nova_post_copy.compute import record
from nova_post_copy.compute import rpcapi
from nova_post_copy.decisions.condition import Condition
from nova_post_copy import exception as post_copy_exception
from tests.unit.nova_post_copy.compute import records


class Driver:
    """A driver that refuses."""

    arrived = False

    def __init__(self):
        self.detached = []

    def post_copy_source_refusals(self, instance):
        if instance.display_name == 'gone':
            raise exception.InstanceNotFound(instance_id=instance.uuid)
        return ['not from here: %s' % instance.uuid]

    def post_copy_destination_refusals(self):
        return ['not to here']

    def post_copy_condition(self, instance):
        return self.condition

    def break_incoming_stream(self, instance, source_addresses=None):
        self.broken = (instance.uuid, source_addresses)
        return 1

    def check_not_arrived(self, instance):
        if self.arrived:
            raise post_copy_exception.PostCopyLiveCopy(
                instance_uuid=instance.uuid, found='running')

    def instance_exists(self, instance):
        return False

    def detach_volume(self, context, connection_info, instance, mountpoint,
                      encryption=None):
        self.detached.append(connection_info)

    def post_copy_recovery_limits(self):
        return ['not so soon']

    def post_copy_resume_refusal(self):
        return 'it crashes'


class Older:
    """What a nova-compute with our first release serves."""

    target = messaging.Target(namespace='post_copy', version='1.0')

    def break_incoming_stream(self, context, instance):
        self.broken = instance.uuid


class Upstream:
    """What a nova-compute without nova-post-copy serves."""

    target = messaging.Target(version='6.4')


class TestPostCopyComputeAPI(test.NoDBTestCase):
    """Client and server side together, over oslo.messaging's fake driver."""

    def setUp(self):
        super().setUp()
        self.context = nova_context.get_admin_context()
        self.instance = fake_instance.fake_instance_obj(self.context)

    def _serve(self, *endpoints):
        server = rpc.get_server(
            messaging.Target(topic=upstream.RPC_TOPIC, server='host-a'),
            endpoints, serializer=objects_base.NovaObjectSerializer())
        server.start()
        self.addCleanup(server.stop)
        return rpcapi.PostCopyComputeAPI()

    def test_refusals(self):
        api = self._serve(endpoint.PostCopyEndpoint(Driver()))
        self.assertEqual(
            ['not from here: %s' % self.instance.uuid],
            api.source_refusals(self.context, 'host-a', self.instance, True))
        self.assertEqual(
            ['not to here'],
            api.destination_refusals(self.context, 'host-a'))

    def test_error_of_the_driver(self):
        api = self._serve(endpoint.PostCopyEndpoint(Driver()))
        self.instance.display_name = 'gone'
        refusals = api.source_refusals(
            self.context, 'host-a', self.instance, True)
        self.assertEqual(
            ['Instance %s could not be found.' % self.instance.uuid],
            refusals)

    def test_never_by_post_copy(self):
        api = self._serve(endpoint.PostCopyEndpoint(Driver()))
        self.assertEqual([], api.source_refusals(
            self.context, 'host-a', self.instance, False))

    def test_another_migration_is_not_over(self):
        api = self._serve(endpoint.PostCopyEndpoint(Driver()))
        with mock.patch.object(record, 'exists', autospec=True,
                               return_value=True) as exists:
            for post_copy in (True, False):
                self.assertEqual(
                    ['the last live migration of the server has not '
                     'finished'],
                    api.source_refusals(
                        self.context, 'host-a', self.instance, post_copy))
        exists.assert_called_with(self.instance.uuid)

    def test_questions_have_a_limit_of_their_own(self):
        limits = [value for name, value in vars(rpcapi).items()
                  if name.endswith('_TIMEOUT_S')]
        self.assertNotEqual([], limits)
        self.assertLessEqual(max(limits), 10)

    def test_no_answer(self):
        # Not [DEFAULT] rpc_response_timeout, which is a minute.
        self.useFixture(test.fixtures.MonkeyPatch(
            'nova_post_copy.compute.rpcapi.REFUSALS_TIMEOUT_S', 1))
        self.assertEqual(
            ['its nova-compute does not answer'],
            rpcapi.PostCopyComputeAPI().destination_refusals(
                self.context, 'host-z'))

    def test_no_rabbitmq(self):
        self.useFixture(test.fixtures.MockPatch(
            'oslo_messaging.rpc.client._CallContext.call',
            side_effect=messaging.MessageDeliveryFailure('refused')))
        api = rpcapi.PostCopyComputeAPI()
        self.assertEqual(
            ['its nova-compute does not answer'],
            api.destination_refusals(self.context, 'host-a'))
        self.assertIsNone(self._condition(api))

    def test_error_that_nova_does_not_know(self):
        # As a real transport brings it; the fake one brings the original.
        self.useFixture(test.fixtures.MockPatch(
            'oslo_messaging.rpc.client._CallContext.call',
            side_effect=messaging.RemoteError('ValueError', 'broken')))
        self.assertEqual(
            ['its nova-compute failed to answer (ValueError)'],
            rpcapi.PostCopyComputeAPI().destination_refusals(
                self.context, 'host-a'))

    def test_other_driver(self):
        api = self._serve(endpoint.PostCopyEndpoint(object()))
        for refusals in (
                api.source_refusals(
                    self.context, 'host-a', self.instance, True),
                api.source_refusals(
                    self.context, 'host-a', self.instance, False),
                api.destination_refusals(self.context, 'host-a')):
            self.assertEqual(1, len(refusals))
            self.assertIn('compute_driver is not', refusals[0])

    def test_un_extended_compute(self):
        api = self._serve(Upstream())
        refusals = api.destination_refusals(self.context, 'host-a')
        self.assertEqual(1, len(refusals))
        self.assertIn('does not have nova-post-copy loaded', refusals[0])

    # How a guest is that is on its way

    def _condition(self, api):
        return api.guest_condition(self.context, 'host-a', self.instance)

    def test_guest_condition(self):
        driver = Driver()
        api = self._serve(endpoint.PostCopyEndpoint(driver))
        for driver.condition in set(Condition) - {Condition.UNKNOWN}:
            self.assertIs(driver.condition, self._condition(api))

    def test_guest_condition_that_libvirt_does_not_say(self):
        driver = Driver()
        driver.condition = Condition.UNKNOWN
        api = self._serve(endpoint.PostCopyEndpoint(driver))
        # It may say so later.
        self.assertIsNone(self._condition(api))

    def test_guest_condition_of_an_un_extended_compute(self):
        self.assertIs(Condition.UNKNOWN, self._condition(
            self._serve(Upstream())))

    def test_guest_condition_without_an_answer(self):
        self.useFixture(test.fixtures.MonkeyPatch(
            'nova_post_copy.compute.rpcapi.ANSWER_TIMEOUT_S', 1))
        api = rpcapi.PostCopyComputeAPI()
        self.assertIsNone(self._condition(api))
        self.assertIsNone(api.recovery_address(self.context, 'host-a'))
        api.break_incoming_stream(
            self.context, 'host-a', self.instance, [])
        self.assertEqual([], api.recovery_limits(self.context, 'host-a'))

    def test_error_is_no_answer(self):
        for name, answer in (('ValueError', None),
                             ('HypervisorUnavailable', None),
                             ('UnsupportedVersion', Condition.UNKNOWN)):
            # As a real transport brings it.
            self.useFixture(test.fixtures.MonkeyPatch(
                'oslo_messaging.rpc.client._CallContext.call',
                mock.Mock(side_effect=messaging.RemoteError(name, 'broken'))))
            self.assertEqual(answer, self._condition(
                rpcapi.PostCopyComputeAPI()))

    def test_recovery_address(self):
        api = self._serve(endpoint.PostCopyEndpoint(Driver()))
        self.assertIsNone(api.recovery_address(self.context, 'host-a'))
        self.flags(recovery_addr='192.0.2.7', group='post_copy')
        self.assertEqual(
            '192.0.2.7', api.recovery_address(self.context, 'host-a'))

    def test_recovery_address_of_an_un_extended_compute(self):
        api = self._serve(Upstream())
        self.assertIsNone(api.recovery_address(self.context, 'host-a'))

    def remove_volume_connections(self, api):
        bdms = records.make().source_bdms
        # As a mapping from the database has them.
        bdms[0].no_device = False
        bdms[0].device_name = '/dev/vdb'
        api.remove_volume_connections(
            self.context, 'host-a', self.instance, bdms)

    def test_volumes_are_disconnected(self):
        driver = Driver()
        self.remove_volume_connections(
            self._serve(endpoint.PostCopyEndpoint(driver)))
        self.assertEqual([{'serial': uuids.volume}], driver.detached)

    def test_volumes_of_a_guest_that_has_arrived(self):
        driver = Driver()
        driver.arrived = True
        api = self._serve(endpoint.PostCopyEndpoint(driver))
        self.assertRaises(post_copy_exception.PostCopyLiveCopy,
                          self.remove_volume_connections, api)
        self.assertEqual([], driver.detached)

    def test_older_destination_disconnects_nothing(self):
        for older in (Older(), Upstream()):
            self.remove_volume_connections(self._serve(older))

    def test_dead_stream(self):
        driver = Driver()
        self._serve(endpoint.PostCopyEndpoint(driver)).break_incoming_stream(
            self.context, 'host-a', self.instance, ['192.0.2.1'])
        self.assertEqual((self.instance.uuid, ['192.0.2.1']), driver.broken)

    def test_dead_stream_of_an_older_source(self):
        driver = Driver()
        endpoint.PostCopyEndpoint(driver).break_incoming_stream(
            self.context, self.instance)
        self.assertEqual((self.instance.uuid, None), driver.broken)

    def test_dead_stream_of_an_older_destination(self):
        older = Older()
        self._serve(older).break_incoming_stream(
            self.context, 'host-a', self.instance, ['192.0.2.1'])
        self.assertEqual(self.instance.uuid, older.broken)

    def test_recovery_limits(self):
        self.assertEqual(
            ['not so soon'], self._serve(endpoint.PostCopyEndpoint(
                Driver())).recovery_limits(self.context, 'host-a'))

    def test_recovery_limits_of_others(self):
        for other in (Older(), Upstream(),
                      endpoint.PostCopyEndpoint(object())):
            server = self._serve(other)
            self.assertEqual(
                [], server.recovery_limits(self.context, 'host-a'))

    def test_resume_refusal(self):
        self.assertEqual(
            'it crashes', self._serve(endpoint.PostCopyEndpoint(
                Driver())).resume_refusal(self.context, 'host-a'))

    def test_resume_refusal_of_others(self):
        for other in (Older(), Upstream(),
                      endpoint.PostCopyEndpoint(object())):
            self.assertIsNone(
                self._serve(other).resume_refusal(self.context, 'host-a'))

    def test_dead_stream_of_an_un_extended_compute(self):
        self._serve(Upstream()).break_incoming_stream(
            self.context, 'host-a', self.instance, [])
