# SPDX-License-Identifier: Apache-2.0

import io

import fixtures
from keystoneauth1 import exceptions as ks_exc
from nova.compute import rpcapi as compute_rpcapi
from nova import context as nova_context
from nova.db.main import api as main_db_api
from nova import objects
from nova.objects import base as objects_base
from nova import rpc
from nova import test
from nova.tests.unit import fake_requests
import oslo_messaging as messaging
from oslo_serialization import jsonutils
from oslo_upgradecheck import upgradecheck
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils
import sqlalchemy as sa

from nova_post_copy.cmd import status
from nova_post_copy.conductor import rpcapi
from nova_post_copy.db import models
from nova_post_copy import traits
from tests.unit.nova_post_copy.cmd import base

SUCCESS = upgradecheck.Code.SUCCESS
WARNING = upgradecheck.Code.WARNING
FAILURE = upgradecheck.Code.FAILURE

USERFAULTFD = 'the kernel does not permit QEMU to use userfaultfd'


class Conductor:
    target = messaging.Target(namespace='post_copy', version='1.0')

    def ping(self, context):
        pass


class Compute:
    target = messaging.Target(namespace='post_copy', version='1.1')

    def __init__(self, *refusals, limits=()):
        self.refusals = list(refusals)
        self.limits = list(limits)

    def destination_refusals(self, context):
        return self.refusals

    def recovery_limits(self, context):
        return self.limits


class UnextendedCompute:
    target = messaging.Target(version='6.0')


class TestUpgradeCheck(test.TestCase):
    """In a cloud where all is well, but for what a test makes worse."""

    def setUp(self):
        super().setUp()
        self.flags(auth_type='password', group='cinder')
        # Only tells whether there is one: nova.test has connected already.
        self.flags(connection='sqlite://', group='api_database')
        self.flags(config_source=['nova_post_copy'])
        self.flags(conductor_timeout=1, group='post_copy')
        self.context = nova_context.get_admin_context()
        self.with_trait = set()
        self.stub_out('nova.scheduler.client.report.report_client_singleton',
                      lambda: self)
        self._create_service('nova-conductor', 'controller', 'cell0')
        self.conductors = {
            'controller': self._serve(rpcapi.RPC_TOPIC, 'controller',
                                      Conductor())}
        for host in ('host-a', 'host-b'):
            self._create_compute(host, Compute())

    # Placement, as the report client knows it.

    def get(self, url, version):
        if not self.with_trait:
            return fake_requests.FakeResponse(400)
        self.assertEqual('/resource_providers?required=' + traits.POST_COPY,
                         url)
        return fake_requests.FakeResponse(200, jsonutils.dumps({
            'resource_providers': [{'uuid': getattr(uuids, host)}
                                   for host in self.with_trait]}))

    def _serve(self, topic, host, endpoint):
        server = rpc.get_server(
            messaging.Target(topic=topic, server=host), [endpoint],
            serializer=objects_base.NovaObjectSerializer())
        server.start()
        self.addCleanup(server.stop)
        return server

    def _in_cell(self, name):
        context = nova_context.get_admin_context()
        nova_context.set_target_cell(context, self.cell_mappings[name])
        return context

    def _create_service(self, binary, host, cell='cell1', **more):
        objects.Service(
            self._in_cell(cell), host=host, binary=binary, topic='any',
            report_count=1, last_seen_up=timeutils.utcnow(),
            **{'forced_down': False, 'disabled': False, **more}).create()

    def _create_compute(self, host, endpoint, **more):
        self._create_service('nova-compute', host, **more)
        objects.ComputeNode(
            self._in_cell('cell1'), host=host, hypervisor_hostname=host,
            uuid=getattr(uuids, host), vcpus=1, memory_mb=1, local_gb=1,
            vcpus_used=0, memory_mb_used=0, local_gb_used=0,
            hypervisor_type='QEMU', hypervisor_version=1,
            cpu_info='').create()
        self._serve(compute_rpcapi.RPC_TOPIC, host, endpoint)
        if isinstance(endpoint, Compute) and not endpoint.refusals:
            self.with_trait.add(host)

    def _execute(self, statement, cells=None):
        for name in cells or self.cell_mappings:
            engine = main_db_api.get_engine(context=self._in_cell(name))
            with engine.begin() as connection:
                connection.execute(sa.text(statement))

    def _check(self):
        """Return the exit status, and what each check has found."""
        output = io.StringIO()
        with fixtures.MonkeyPatch('sys.stdout', output):
            code = status.UpgradeCommands().check()
        results = {}
        for line in output.getvalue().splitlines():
            key, _colon, text = line.strip('| ').partition(':')
            if key == 'Check':
                check = text.strip()
            elif key == 'Result':
                results[check] = [text.strip(), '']
            elif not line.startswith('+') and results:
                results[check][1] += ' ' + line.strip('| ')
        return code, results

    def _assert_only(self, code, check):
        """Check that just this one is wrong; return its details."""
        found, results = self._check()
        self.assertEqual(code, found, results)
        wrong = [name for name, (result, _details) in results.items()
                 if result != 'Success']
        self.assertEqual([check], wrong, results)
        return results[check][1]

    def test_all_is_well(self):
        code, results = self._check()
        self.assertEqual(SUCCESS, code, results)
        self.assertEqual(
            ['Configuration', 'Host-wide post-copy',
             'Credentials for Cinder', 'Cell databases', 'Conductors',
             'Computes', 'Trait in placement', 'Recovery'], list(results))

    def test_not_loaded(self):
        self.flags(config_source=['environment'])
        details = self._assert_only(WARNING, 'Configuration')
        self.assertIn('config_source = nova_post_copy', details)

    def test_host_wide_flag(self):
        self.flags(live_migration_permit_post_copy=True, group='libvirt')
        details = self._assert_only(WARNING, 'Host-wide post-copy')
        self.assertIn('live_migration_permit_post_copy = true', details)
        self.assertIn('Other hosts were not inspected', details)

    def test_no_credentials_for_cinder(self):
        self.flags(auth_type=None, group='cinder')
        details = self._assert_only(WARNING, 'Credentials for Cinder')
        self.assertIn('[cinder]', details)

    def test_on_a_compute_host(self):
        self.flags(connection=None, group='api_database')
        code, results = self._check()
        self.assertEqual(WARNING, code)
        self.assertEqual(['Configuration', 'Host-wide post-copy',
                          'Credentials for Cinder', 'Cloud'],
                         list(results))
        self.assertIn('Run this command where "nova-status" is run',
                      results['Cloud'][1])

    def test_host_that_cannot_see_its_processes(self):
        self._create_compute('host-c', Compute(limits=['Sees nothing.']))
        details = self._assert_only(WARNING, 'Recovery')
        self.assertIn('takes longer than it has to', details)
        self.assertIn('host-c: Sees nothing.', details)

    def test_no_column_in_one_cell(self):
        for table in models.TABLES:
            self._execute('ALTER TABLE %s DROP COLUMN post_copy' % table,
                          ['cell1'])
        details = self._assert_only(FAILURE, 'Cell databases')
        self.assertIn(self.cell_mappings['cell1'].identity, details)
        self.assertNotIn(self.cell_mappings['cell0'].identity, details)
        self.assertIn('no column post_copy in migrations, shadow_migrations',
                      details)
        self.assertIn('nova-post-copy-manage db sync', details)

    def test_no_column_in_the_shadow_table(self):
        self._execute('ALTER TABLE shadow_migrations DROP COLUMN post_copy')
        details = self._assert_only(FAILURE, 'Cell databases')
        self.assertEqual(
            len(self.cell_mappings),
            details.count('no column post_copy in shadow_migrations'))

    def test_before_upstreams_sync(self):
        self._execute('DROP TABLE shadow_migrations', ['cell0'])
        details = self._assert_only(FAILURE, 'Cell databases')
        self.assertIn('"nova-manage db sync"', details)

    def test_a_cell_that_is_down(self):
        get_engine = main_db_api.get_engine

        def cell0_is_down(context=None, **kwargs):
            if context.cell_uuid == objects.CellMapping.CELL0_UUID:
                raise sa.exc.OperationalError(
                    'SELECT', {}, Exception('no route to host'))
            return get_engine(context=context, **kwargs)

        self.stub_out('nova.db.main.api.get_engine', cell0_is_down)
        details = self._assert_only(FAILURE, 'Cell databases')
        self.assertIn('%s: the database does not answer'
                      % self.cell_mappings['cell0'].identity, details)

    def test_no_conductor(self):
        self.conductors.pop('controller').stop()
        details = self._assert_only(FAILURE, 'Conductors')
        self.assertIn('503', details)

    def test_one_conductor_of_two(self):
        self._create_service('nova-conductor', 'other')
        details = self._assert_only(WARNING, 'Conductors')
        self.assertIn('not loaded in nova-conductor on other.', details)

    def test_a_conductor_that_is_down_is_left_out(self):
        self._create_service('nova-conductor', 'gone', forced_down=True)
        self.assertEqual(SUCCESS, self._check()[0])

    def test_hosts_that_cannot(self):
        self._create_compute('old', UnextendedCompute())
        self._create_compute('closed', Compute(USERFAULTFD, 'and more'))
        self._create_compute('gone', Compute(), forced_down=True)
        self.with_trait.remove('gone')
        details = self._assert_only(WARNING, 'Computes')
        for sentence in (
            'old: its nova-compute does not have nova-post-copy loaded.',
            'closed: %s; and more.' % USERFAULTFD,
            'gone: its nova-compute is down.',
        ):
            self.assertIn(sentence, details)
        self.assertNotIn('host-a', details)

    def test_a_disabled_host_counts(self):
        # It is where servers are moved away from.
        self._create_compute('old', UnextendedCompute(), disabled=True,
                             disabled_reason='maintenance')
        self.assertIn('old: ', self._assert_only(WARNING, 'Computes'))

    def test_no_host_can(self):
        for host in ('host-a', 'host-b'):
            service = objects.Service.get_by_compute_host(
                self._in_cell('cell1'), host)
            service.forced_down = True
            service.save()
        self.with_trait.clear()
        details = self._assert_only(FAILURE, 'Computes')
        self.assertIn('host-b: its nova-compute is down', details)

    def test_trait_is_missing(self):
        self.with_trait.remove('host-b')
        details = self._assert_only(WARNING, 'Trait in placement')
        self.assertIn('host-b: can be a destination', details)
        self.assertNotIn('host-a', details)

    def test_trait_nobody_has_reported_yet(self):
        self.with_trait.clear()
        details = self._assert_only(WARNING, 'Trait in placement')
        self.assertIn('host-a, host-b: can be a destination', details)

    def test_trait_is_left_over(self):
        self._create_compute('old', UnextendedCompute())
        self.with_trait.add('old')
        code, results = self._check()
        self.assertEqual(WARNING, code)
        self.assertIn('old: cannot be a destination',
                      results['Trait in placement'][1])

    def test_placement_does_not_answer(self):
        for failure in (ks_exc.MissingAuthPlugin(), ks_exc.ConnectFailure()):
            self.stub_out(
                'nova.scheduler.client.report.report_client_singleton',
                lambda: self.fail_with(failure))
            self._assert_only(WARNING, 'Trait in placement')

    def fail_with(self, failure):
        raise failure

    def test_placement_answers_with_an_error(self):
        self.get = lambda *args, **kwargs: fake_requests.FakeResponse(503)
        details = self._assert_only(WARNING, 'Trait in placement')
        self.assertIn('503', details)


class TestMain(base.CommandTestCase):
    MODULE = 'status'

    def test_upgrade_check(self):
        result = self._run('upgrade', 'check')
        self.assertEqual(1, result.returncode, result.stderr)
        self.assertIn('Upgrade Check Results', result.stdout)
        self.assertIn('| Check: Configuration ', result.stdout)
        self.assertIn('Result: Warning', result.stdout)

    def test_an_error_of_its_own(self):
        result = self._run('upgrade', 'check', conf=(
            '[api_database]\nconnection = sqlite:////nowhere/nova.sqlite\n'))
        self.assertEqual(255, result.returncode, result.stderr)
        self.assertIn('unable to open database file', result.stdout)

    def test_help(self):
        result = self._run('upgrade', 'check', '--help')
        self.assertEqual(0, result.returncode, result.stderr)
        self.assertIn('Exit status: 0 when all is well',
                      ' '.join(result.stdout.split()))
