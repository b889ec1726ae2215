# SPDX-License-Identifier: Apache-2.0

import fixtures
from openstack.compute.v2 import _proxy

from tests.unit.openstackclient_post_copy import base

MIGRATE = ('server', 'migrate', '--live-migration')


class MigrateServerTestCase(base.ClientTestCase):

    def test_post_copy(self):
        result = self.openstack(*MIGRATE, '--post-copy', 'busy')

        self.assertEqual((0, '', ''), result)
        request, = self.posted
        self.assert_posted(request, '2.105', host=None,
                           block_migration='auto', post_copy=True)

    def test_no_post_copy_is_sent(self):
        self.openstack(*MIGRATE, '--no-post-copy', 'busy')

        request, = self.posted
        self.assert_posted(request, '2.105', host=None,
                           block_migration='auto', post_copy=False)

    def test_destination_and_shared_storage(self):
        self.openstack(*MIGRATE, '--post-copy', '--host', 'host-b',
                       '--shared-migration', 'busy')

        request, = self.posted
        self.assert_posted(request, '2.105', host='host-b',
                           block_migration=False, post_copy=True)

    def test_version_high_enough(self):
        result = self.openstack('--os-compute-api-version', '2.105',
                                *MIGRATE, '--post-copy', 'busy')

        self.assertEqual(0, result.code)
        request, = self.posted
        self.assert_posted(request, '2.105', host=None,
                           block_migration='auto', post_copy=True)

    def test_major_version(self):
        self.openstack('--os-compute-api-version', '2', *MIGRATE,
                       '--post-copy', 'busy')

        self.assertEqual('2.105', base.version_of(self.posted[0]))

    def test_only_the_request_is_of_our_version(self):
        self.openstack(*MIGRATE, '--post-copy', 'busy')

        versions = {base.version_of(request) for request in self.sent
                    if request.method == 'GET'}
        self.assertNotIn('2.105', versions)

    def test_help(self):
        text = ' '.join(self.openstack(
            'help', 'server', 'migrate').stdout.split())

        self.assertIn('[--post-copy | --no-post-copy]', text)
        self.assertIn('supported with --os-compute-api-version 2.105 or above',
                      text)

    def test_refusal_of_the_cloud_is_shown(self):
        self.answer('POST', base.ACTION, status=409, body={
            'conflictingRequest': {'code': 409, 'message': 'vGPU'}})

        result = self.openstack(*MIGRATE, '--post-copy', 'busy')

        self.assertEqual(1, result.code)
        self.assertIn('vGPU', result.stderr)

    def test_next_command_of_an_interactive_openstack(self):
        for status in (409, 202):
            self.answer('POST', base.ACTION, status=status)
            self.openstack(*MIGRATE, '--post-copy', 'busy')
            self.assertIs(_proxy.Proxy,
                          type(self.shell.client_manager.compute))

        self.shell.run_subcommand([*MIGRATE, 'busy'])

        self.assert_posted(self.posted[-1], '2.30', host=None,
                           block_migration='auto')

    def assert_refused(self, *argv: str, because: str) -> None:
        result = self.openstack(*argv)
        self.assertEqual(1, result.code)
        self.assertIn(because, result.stderr)
        self.assertIn('No migration was requested.', result.stderr)
        self.assertEqual(1, result.stderr.count('\n'))
        self.assertEqual([], self.posted)

    def test_version_too_low(self):
        because = "'2.105', which clouds with nova-post-copy have; version " \
                  "'2.90' is selected"
        self.assert_refused('--os-compute-api-version', '2.90', *MIGRATE,
                            '--post-copy', 'busy', because=because)
        self.useFixture(fixtures.EnvironmentVariable(
            'OS_COMPUTE_API_VERSION', '2.90'))
        self.assert_refused(*MIGRATE, '--no-post-copy', 'busy',
                            because=because)

    def test_version_too_low_in_clouds_yaml(self):
        cloud = base.CLOUDS['clouds']['test']
        self.write_clouds({'clouds': {'test': dict(
            cloud, compute_default_microversion='2.90')}})

        self.assert_refused(*MIGRATE, '--post-copy', 'busy',
                            because='compute_default_microversion')

    def test_without_live_migration(self):
        self.assert_refused('server', 'migrate', '--post-copy', 'busy',
                            because='--live-migration must be specified')
        self.assert_refused('server', 'migrate', '--no-post-copy', 'busy',
                            because='--live-migration must be specified')

    def test_both(self):
        result = self.openstack(*MIGRATE, '--post-copy', '--no-post-copy',
                                'busy')

        self.assertEqual(2, result.code)
        self.assertIn('not allowed with argument', result.stderr)
        self.assertEqual([], self.sent)

    def test_abbreviated_command(self):
        """cliff finds no hook for it; it must not migrate by pre-copy."""
        for option in ('--post-copy', '--no-post-copy'):
            for words in (('server', 'migr'), ('serv', 'migrate')):
                result = self.openstack(
                    *words, '--live-migration', option, 'busy')

                self.assertEqual(2, result.code)
                self.assertIn('unrecognized arguments: ' + option,
                              result.stderr)
        self.assertEqual([], self.sent)


class UnextendedCloudTestCase(base.ClientTestCase):
    cloud_version = '2.104'
    offers = "this cloud offers versions '2.1' to '2.104'"

    def test_refused_before_anything_is_posted(self):
        for option in ('--post-copy', '--no-post-copy'):
            result = self.openstack(*MIGRATE, option, '--wait', 'busy')

            self.assertEqual(1, result.code)
            self.assertIn(self.offers, result.stderr)
            self.assertIn("'2.105'", result.stderr)
            self.assertEqual(1, result.stderr.count('\n'))
        self.assertEqual([], self.sent)

    def test_without_the_option(self):
        self.openstack(*MIGRATE, 'busy')

        self.assert_posted(self.posted[0], '2.30', host=None,
                           block_migration='auto')


class OldCloudTestCase(UnextendedCloudTestCase):
    cloud_version = '2.60'
    offers = "this cloud offers versions '2.1' to '2.60'"


class NoMicroversionsTestCase(base.ClientTestCase):
    cloud_version = ''

    def test_refused(self):
        result = self.openstack(*MIGRATE, '--post-copy', 'busy')

        self.assertEqual(1, result.code)
        self.assertIn('this cloud offers no microversions', result.stderr)
        self.assertEqual([], self.sent)
