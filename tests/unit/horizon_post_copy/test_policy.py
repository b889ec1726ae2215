# SPDX-License-Identifier: Apache-2.0

import os
import pathlib
import tempfile

from django.test import override_settings
import openstack_auth.policy
import openstack_dashboard
from openstack_dashboard.test import helpers

from horizon_post_copy import api

from tests.unit.horizon_post_copy import base

CONF = pathlib.Path(openstack_dashboard.__file__).with_name('conf')
RULE = 'os_compute_api:os-migrate-server:migrate_live'


@override_settings(
    POLICY_CHECK_FUNCTION='openstack_auth.policy.check',
    POLICY_FILES={'compute': 'nova_policy.yaml'},
    DEFAULT_POLICY_FILES={
        'compute': str(CONF / 'default_policies' / 'nova.yaml')})
class TestPolicy(base.PostCopyTestCase):
    """Horizon's own policy engine, with its copy of Nova's policies."""

    def may(self, *roles: str, **rules: str) -> bool:
        """Tell whether post-copy is offered to a user with these roles.

        :param rules: of policy.yaml, by the end of their names
        """
        # Not of BaseAdminViewTests, which makes everyone an admin.
        helpers.TestCase.setActiveUser(
            self, id=self.user.id, token=self.token,
            username=self.user.name, tenant_id=self.tenant.id,
            service_catalog=self.service_catalog,
            roles=[{'id': role, 'name': role} for role in roles],
            authorized_tenants=self.tenants.list())
        with tempfile.TemporaryDirectory() as directory:
            path = os.path.join(directory, 'nova_policy.yaml')
            with open(path, 'w') as policy_file:
                for name, rule in rules.items():
                    print('"%s%s": "%s"' % (RULE, name, rule),
                          file=policy_file)
            openstack_auth.policy.reset()
            self.addCleanup(openstack_auth.policy.reset)
            with (override_settings(POLICY_FILES={'compute': path}),
                  override_settings(POLICY_FILES_PATH=directory)):
                return api.post_copy_offered(self.factory.get('/'))

    def test_as_migrate_live_when_horizon_does_not_know_the_rule(self):
        self.assertTrue(self.may('admin'))
        self.assertTrue(self.may('manager'))
        self.assertFalse(self.may('member', 'reader'))

    def test_rule_of_the_operator(self):
        rule = {':post_copy': 'role:mover'}
        self.assertFalse(self.may('admin', **rule))
        self.assertTrue(self.may('admin', 'mover', **rule))

    def test_migrate_live_is_needed_as_well(self):
        rules = {'': 'role:admin', ':post_copy': '@'}
        self.assertFalse(self.may('manager', **rules))
        self.assertTrue(self.may('admin', **rules))

    def test_cloud_is_not_asked_for_one_who_may_not(self):
        self.assertFalse(self.may('admin', **{':post_copy': '!'}))
        self.assertEqual([], self.requests)
