# SPDX-License-Identifier: Apache-2.0

"""Each way in which a request is refused, and that nothing has changed."""

import fixtures
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy import policies
from tests.functional import base

POLICY_MIGRATE_LIVE = 'os_compute_api:os-migrate-server:migrate_live'


class TestRequest(base.TwoHosts):
    def test_policy(self):
        self.policy.set_rules({policies.POST_COPY: '!'}, overwrite=False)
        for value in (True, False):
            status, message = self.refused(value)
            self.assertEqual(403, status)
            self.assertIn(policies.POST_COPY, message)
        self.assert_untouched()

        # Who may not ask for post-copy may still migrate.
        self.live_migrate()
        self.complete()
        self.assert_on('dest')

    def test_policy_by_default_as_for_live_migration(self):
        member = self.api_fixture.api
        member.microversion = self.microversion
        status, _message = self.refused(True, api=member)
        self.assertEqual(403, status)
        self.assert_untouched()

        # Being allowed one without the other is not enough.
        self.policy.set_rules({policies.POST_COPY: '@'}, overwrite=False)
        status, message = self.refused(True, api=member)
        self.assertEqual(403, status)
        self.assertIn(POLICY_MIGRATE_LIVE, message)
        self.assert_untouched()

    def test_no_such_server(self):
        status, _message = self.request(
            'POST', '/servers/%s/action' % uuids.nobody, self.body(True))
        self.assertEqual(404, status)

    def test_no_such_destination(self):
        for value in (True, False):
            status, message = self.refused(value, host='nowhere')
            self.assertEqual(400, status)
            self.assertIn('nowhere', message)
        self.assert_untouched()

    def test_a_locked_server(self):
        self.policy.set_rules(
            {'os_compute_api:os-lock-server:unlock:unlock_override': '!'},
            overwrite=False)
        self.api.post_server_action(self.server['id'], {'lock': None})
        member = self.api_fixture.api
        member.microversion = self.microversion
        self.policy.set_rules(
            {policies.POST_COPY: '@', POLICY_MIGRATE_LIVE: '@'},
            overwrite=False)
        status, message = self.refused(True, api=member)
        self.assertEqual(409, status)
        self.assertIn('is locked', message)
        self.assertEqual([], self.migrations())

    def test_a_stopped_server(self):
        self._stop_server(self.server)
        status, message = self.refused(True)
        self.assertEqual(409, status)
        self.assertIn('stopped', message)
        self.assertEqual([], self.migrations())


class TestUnExtendedConductor(base.TwoHosts):
    def setUp(self):
        self.useFixture(fixtures.MonkeyPatch(
            'nova.service.SERVICE_MANAGERS',
            {'nova-conductor': 'nova.conductor.manager.ConductorManager',
             'nova-compute': 'nova_post_copy.compute.manager.ComputeManager',
             'nova-scheduler': 'nova.scheduler.manager.SchedulerManager'}))
        super().setUp()
        self.flags(conductor_timeout=1, group='post_copy')

    def test_503_and_nothing_has_changed(self):
        for value in (True, False):
            status, message = self.refused(value)
            self.assertEqual(503, status)
            self.assertIn('No nova-conductor with nova-post-copy', message)
            self.assertIn('Nothing was changed', message)
        self.assert_untouched()

        # Without the key all is as ever.
        self.live_migrate()
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)


class TestHosts(base.TwoHosts):
    """Only a host that says it can is a source or a destination."""

    def start_upstream_compute(self, hostname):
        """Start a compute that knows nothing of us."""
        self.flags(compute_driver='libvirt.LibvirtDriver')
        with fixtures.MonkeyPatch(
                'nova.service.SERVICE_MANAGERS', {
                    'nova-compute': 'nova.compute.manager.ComputeManager'}):
            self.start_compute(hostname)
        self.flags(compute_driver='post_copy.LibvirtDriver')

    def traits_of(self, host):
        return self._get_provider_traits(self.compute_rp_uuids[host])

    def refused_later(self):
        """Ask; the conductor finds out, and the server stays as it was.

        :returns: the reason: in the fault and in the action's event
        """
        self.live_migrate(True)
        migration = self.wait_for_migration('error')
        self.wait_until_settled()
        event = self.event('conductor_live_migrate_instance')

        self.assertEqual('Error', event['result'])
        self.assertEqual([], self.hosts.moves)
        self.assert_on('src', migration)
        self.assertTrue(migration['post_copy'])
        return self.newest_fault().message, event['details']

    def test_trait(self):
        self.assertIn(base.TRAIT, self.traits_of('src'))
        self.assertIn(base.TRAIT, self.traits_of('dest'))

    def test_trait_is_taken_away(self):
        self.hosts.daemons['dest'].userfaultfd = False
        self._run_periodics()
        self.assertIn(base.TRAIT, self.traits_of('src'))
        self.assertNotIn(base.TRAIT, self.traits_of('dest'))

    def test_no_trait_where_it_is_not_allowed(self):
        self.flags(allowed=False, group='post_copy')
        self._run_periodics()
        for host in ('src', 'dest'):
            self.assertNotIn(base.TRAIT, self.traits_of(host))

        status, message = self.refused(True)
        self.assertEqual(409, status)
        self.assertIn('[post_copy] allowed', message)
        self.assert_untouched()

        # Never by post-copy is always allowed.
        self.live_migrate(False)
        self.complete()
        self.assert_on('dest')

    def test_named_destination_that_cannot(self):
        self.hosts.daemons['dest'].userfaultfd = False
        status, message = self.refused(True, host='dest')
        self.assertEqual(409, status)
        self.assertIn('vm.unprivileged_userfaultfd', message)
        self.assert_untouched()

        self.live_migrate(False, host='dest')
        self.complete()
        self.assert_on('dest')

    def test_named_destination_that_does_not_know_us(self):
        self.start_upstream_compute('other')
        self.assertNotIn(base.TRAIT, self.traits_of('other'))
        status, message = self.refused(True, host='other')
        self.assertEqual(409, status)
        self.assertIn('does not have nova-post-copy loaded', message)
        self.assert_untouched()

    def test_source_that_does_not_know_us(self):
        self.start_upstream_compute('other')
        self.live_migrate(False, host='other')
        self.complete()
        self.hosts.moves.clear()

        # It could neither do it nor keep itself from it.
        for value in (True, False):
            status, message = self.refused(value)
            self.assertEqual(409, status)
            self.assertIn('does not have nova-post-copy loaded', message)
        self.assertEqual(1, len(self.migrations()))
        self.assert_on('other')

    def test_the_scheduler_leaves_out_hosts_that_cannot(self):
        self.hosts.daemons['dest'].userfaultfd = False
        self._run_periodics()
        self.start_compute('third')

        self.live_migrate(True)
        migration, _server = self.complete()

        self.assertEqual('third', migration['dest_compute'])
        self.assert_on('third', migration)

    def test_no_host_can(self):
        self.hosts.daemons['dest'].userfaultfd = False
        self._run_periodics()

        for reason in self.refused_later():
            self.assertIn(base.TRAIT, reason)

    def test_a_trait_is_no_proof(self):
        self.hosts.daemons['dest'].userfaultfd = False
        self.assertIn(base.TRAIT, self.traits_of('dest'))

        fault, details = self.refused_later()
        for reason in (fault, details):
            self.assertIn('vm.unprivileged_userfaultfd', reason)
        # Names of hosts are for administrators.
        self.assertIn('dest: ', details)
        self.assertIn('a host: ', fault)


class TestGuests(base.TwoHosts):
    """Not every guest can, whatever its hosts can."""

    def devices(self):
        domain = self.hosts.domains(self.server['id'])['src']
        return domain._def['devices']

    def assert_refused(self, reason):
        status, message = self.refused(True)
        self.assertEqual(409, status)
        self.assertIn(reason, message)
        self.assert_untouched()

    def test_vpmem(self):
        self.devices()['vpmems'].append({
            'path': '/dev/dax0.0', 'size': '1', 'alignsize': '1',
            'node': '0'})
        self.assert_refused('virtual persistent memory')

    def test_mediated_device(self):
        self.devices()['hostdevs'].append({
            'type': 'mdev', 'model': 'vfio-pci', 'address_uuid': uuids.mdev})
        self.assert_refused('mediated device')


class TestLibvirtRefuses(base.TwoHosts):
    """What no question beforehand has found."""

    def test_the_destination_after_the_migration_has_begun(self):
        # It said that it can, and its QEMU finds that it cannot.
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.userfaultfd.refusal',
            lambda host: None))
        self.hosts.daemons['dest'].userfaultfd = False

        self.live_migrate(True)
        migration = self.wait_for_migration('error')
        self.wait_until_settled()

        self.assert_on('src', migration)
        event = self.event('compute_live_migration_post_copy')
        for reason in (self.fault(), event['details']):
            self.assertIn('Postcopy is not supported', reason)
            self.assertIn('still runs on src', reason)
        self.hosts.daemons['dest'].userfaultfd = True
        self.live_migrate(True)
        migration, _server = self.complete()
        self.assertEqual('completed', migration['status'])
        self.assert_on('dest', migration)
