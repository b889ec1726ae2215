# SPDX-License-Identifier: Apache-2.0

from nova import context as nova_context
from nova import exception
from nova import policies as upstream
from nova import test
from nova.tests import fixtures as nova_fixtures

from nova_post_copy import policies


class TestPolicies(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        # Upstream's base class has a policy file of its own.
        self.useFixture(nova_fixtures.RealPolicyFixture())

    def _may(self, *roles, project_id='project', is_admin=False):
        context = nova_context.RequestContext(
            'user', project_id, roles=list(roles), is_admin=is_admin)
        return bool(context.can(policies.POST_COPY, fatal=False,
                                target={'project_id': 'project'}))

    def test_defaults(self):
        self.assertTrue(self._may('admin', is_admin=True))
        self.assertTrue(self._may('manager', 'member', 'reader'))
        self.assertFalse(self._may('member', 'reader'))
        self.assertFalse(self._may('reader'))
        self.assertFalse(self._may('manager', project_id='other'))

    def test_whoever_may_migrate_live(self):
        rules = {rule.name: rule for rule in upstream.list_rules()}
        self.assertEqual(
            rules['os_compute_api:os-migrate-server:migrate_live'].check_str,
            rules[policies.POST_COPY].check_str)

    def test_upstream_rules_stay(self):
        names = [rule.name for rule in upstream.list_rules()]
        self.assertEqual(len(names), len(set(names)))
        self.assertIn('os_compute_api:os-migrate-server:migrate', names)
        self.assertIn('os_compute_api:os-migrate-server:migrate_live:host',
                      names)

    def test_generators_get_ours_only(self):
        self.assertEqual(
            ['os_compute_api:os-migrate-server:migrate_live:post_copy'],
            [rule.name for rule in policies.list_rules()])

    def test_refusal_names_the_rule(self):
        context = nova_context.RequestContext('user', 'project', roles=[])
        error = self.assertRaises(
            exception.PolicyNotAuthorized, context.can, policies.POST_COPY,
            target={'project_id': 'project'})
        self.assertIn(policies.POST_COPY, error.format_message())
