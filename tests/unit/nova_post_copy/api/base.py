# SPDX-License-Identifier: Apache-2.0

"""The compute API's own router over a database, and recorders as its peers."""

import contextlib

import fixtures
import oslo_messaging as messaging
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova.api.openstack import compute
from nova.compute import rpcapi as compute_rpcapi
from nova.compute import vm_states
from nova.conductor import rpcapi as upstream_rpcapi
from nova import context as nova_context
from nova import exception
from nova.network import model
from nova import objects
from nova.objects import base as objects_base
from nova import rpc
from nova import test
from nova.tests import fixtures as nova_fixtures
from nova.tests.unit.api.openstack import fakes
from nova.tests.unit import fake_request_spec

from nova_post_copy.api import microversion
from nova_post_copy.conductor import rpcapi

VERSION = microversion.VERSION
# The last one of upstream's.
BELOW = '2.%d' % (int(VERSION.split('.')[1]) - 1)


class Conductor:
    """What reaches upstream's part of a conductor."""

    target = messaging.Target(namespace='compute_task', version='1.26')

    def __init__(self):
        self.requests = []

    def live_migrate_instance(self, context, **request):
        self.requests.append(request)

    # What the oldest microversions come to.
    migrate_server = live_migrate_instance
    # An evacuation.
    rebuild_instance = live_migrate_instance


class PostCopyConductor(Conductor):
    """What reaches our part of it."""

    target = messaging.Target(namespace='post_copy', version='1.0')

    def ping(self, context):
        pass


class Compute:
    """A nova-compute with opinions about itself."""

    target = messaging.Target(namespace='post_copy', version='1.0')

    def __init__(self):
        self.as_source = []
        self.as_destination = []

    def source_refusals(self, context, instance, post_copy):
        return self.as_source if post_copy else []

    def destination_refusals(self, context):
        return self.as_destination


class ComputeWithoutLibvirt(Compute):

    def source_refusals(self, context, instance, post_copy):
        raise exception.HypervisorUnavailable()


class UnextendedCompute:
    target = messaging.Target(version='6.0')


class ApiTestCase(test.TestCase):
    """A server on host-a, another host-b, and requests by ``self.rest``."""

    def setUp(self):
        super().setUp()
        self.useFixture(nova_fixtures.CastAsCallFixture(self))
        # There is no network service to ask.
        self.useFixture(fixtures.MockPatch(
            'nova.network.neutron.API.has_extended_resource_request_extension',
            return_value=False))
        self.flags(response_validation='error', group='api')
        self.upstream_conductor = Conductor()
        self.serve(upstream_rpcapi.RPC_TOPIC, 'conductor',
                   self.upstream_conductor)
        context = nova_context.get_admin_context()
        self.cell_context = context.elevated()
        nova_context.set_target_cell(
            self.cell_context, self.cell_mappings['cell1'])
        for host in ('host-a', 'host-b'):
            self._create_host(host)
        self.instance = self._create_instance(context)
        self.app = compute.APIRouterV21()

    def serve(self, topic, host, endpoint):
        server = rpc.get_server(
            messaging.Target(topic=topic, server=host), [endpoint],
            serializer=objects_base.NovaObjectSerializer())
        server.start()
        self.addCleanup(server.stop)
        return endpoint

    def serve_conductor(self):
        return self.serve(rpcapi.RPC_TOPIC, 'conductor', PostCopyConductor())

    def serve_compute(self, host, endpoint=None):
        return self.serve(
            compute_rpcapi.RPC_TOPIC, host, endpoint or Compute())

    def _create_host(self, host):
        objects.Service(
            self.cell_context, host=host, binary='nova-compute',
            topic='compute', report_count=1, disabled=False,
            forced_down=False, last_seen_up=timeutils.utcnow()).create()
        objects.ComputeNode(
            self.cell_context, host=host, hypervisor_hostname=host,
            uuid=getattr(uuids, host), vcpus=1, memory_mb=1, local_gb=1,
            vcpus_used=0, memory_mb_used=0, local_gb_used=0,
            hypervisor_type='QEMU', hypervisor_version=1,
            cpu_info='').create()

    def _create_instance(self, context):
        instance = objects.Instance(
            self.cell_context, uuid=uuids.server, user_id='user',
            project_id=fakes.FAKE_PROJECT_ID, host='host-a',
            vm_state=vm_states.ACTIVE, launched_at=timeutils.utcnow(),
            system_metadata={}, locked=False,
            info_cache=objects.InstanceInfoCache(
                network_info=model.NetworkInfo()),
            flavor=objects.Flavor.get_by_name(context, 'm1.tiny'))
        instance.create()
        objects.InstanceMapping(
            context, instance_uuid=instance.uuid,
            project_id=instance.project_id, user_id=instance.user_id,
            cell_mapping=self.cell_mappings['cell1']).create()
        spec = fake_request_spec.fake_spec_obj(remove_id=True)
        spec._context = context
        spec.instance_uuid = instance.uuid
        spec.create()
        return instance

    @contextlib.contextmanager
    def patch_rpc(self, method):
        """Note what nova-compute is asked for, in place of a nova-compute."""
        requests = []
        with fixtures.MonkeyPatch(
                'nova.compute.rpcapi.ComputeAPI.' + method,
                lambda *args, **kwargs: requests.append(kwargs)):
            yield requests

    def create_migration(self, status='running', migration_type=None, **more):
        migration = objects.Migration(
            self.cell_context, instance_uuid=self.instance.uuid,
            source_compute='host-a', source_node='host-a',
            dest_compute='host-b', dest_node='host-b', dest_compute_id=2,
            status=status,
            migration_type=migration_type or 'live-migration',
            user_id='8c1aa6d9a4b34cd9b7a9ce5b5a6aeb52',
            project_id=fakes.FAKE_PROJECT_ID,
            memory_total=0, memory_processed=0, memory_remaining=0,
            disk_total=0, disk_processed=0, disk_remaining=0, **more)
        migration.create()
        return migration

    def rest(self, method, path, body=None, version=VERSION, roles=None,
             legacy=False):
        """Send a request.

        :param roles: of the caller, an administrator by default
        :param legacy: whether it comes in through ``/v2``
        :returns: HTTP status, decoded body
        """
        req = fakes.HTTPRequest.blank(
            path, use_admin_context=roles is None, roles=roles or [])
        req.method = method
        req.headers['OpenStack-API-Version'] = 'compute ' + version
        if body is not None:
            req.json_body = body
            req.content_type = 'application/json'
        if legacy:
            req.set_legacy_v2()
        response = req.get_response(self.app)
        return response.status_int, response.json_body if response.body else ''

    def assert_unchanged(self):
        self.instance.refresh()
        self.assertIsNone(self.instance.task_state)
        actions = objects.InstanceActionList.get_by_instance_uuid(
            self.cell_context, self.instance.uuid)
        self.assertEqual([], list(actions))
