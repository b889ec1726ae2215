# SPDX-License-Identifier: Apache-2.0

"""Who may ask for post-copy, and who sees what came of it.

Each of upstream's contexts (roles in the project, in another one and of the
system) against each request of our microversion, by the real rules.
"""

import functools

import fixtures
from nova.compute import task_states
from nova.compute import vm_states
from nova import context as nova_context
from nova import exception
from nova.network import model
from nova import objects
from nova.policies import base as base_policies
from nova.policies import migrate_server as migrate_server_policies
from nova.policies import migrations as migrations_policies
from nova.policies import servers_migrations as servers_migrations_policies
from nova.tests.unit.api.openstack import fakes
from nova.tests.unit.policies import base
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils
from webob import exc

from nova_post_copy.api import microversion
from nova_post_copy.api import migrate_server
from nova_post_copy.api import migrations
from nova_post_copy.api import server_migrations
from nova_post_copy import policies

MIGRATE_LIVE = migrate_server_policies.POLICY_ROOT % 'migrate_live'
SERVER_MIGRATIONS = servers_migrations_policies.POLICY_ROOT
MIGRATIONS = migrations_policies.POLICY_ROOT


class PostCopyPolicies(base.BasePolicyTest):

    # Nova's defaults: scopes and roles, no "admin or owner".
    without_deprecated_rules = True

    def setUp(self):
        super().setUp()
        # An answer that says that the policies have been passed.
        self.reached = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.api.compute_api.API.live_migrate',
            lambda api, context, *args, **kwargs:
                self.reached.append(context.user_id)))
        context = nova_context.RequestContext(
            'user', self.project_id, is_admin=True)
        self._target_cell(context)
        self.instance = self._create_instance(context)
        # Who may not see the server at all is told 404, before any policy.
        self.useFixture(fixtures.MonkeyPatch(
            'nova.compute.api.API.get', self._get_instance))
        self.migration = self._create_migration(context)
        self.req = fakes.HTTPRequest.blank(
            '', version=microversion.VERSION)

        admins = {self.legacy_admin_context, self.project_admin_context}
        self.managers = admins | {self.project_manager_context}
        self.admins = admins

    def _target_cell(self, context):
        nova_context.set_target_cell(context, self.cell_mappings['cell1'])

    def _get_instance(self, compute_api, context, instance_id, **kwargs):
        self._target_cell(context)
        return self.instance

    def _create_instance(self, context):
        instance = objects.Instance(
            context, uuid=uuids.server, user_id='user',
            project_id=self.project_id, host='host-a',
            vm_state=vm_states.ACTIVE, task_state=task_states.MIGRATING,
            launched_at=timeutils.utcnow(), system_metadata={}, locked=False,
            info_cache=objects.InstanceInfoCache(
                network_info=model.NetworkInfo()),
            flavor=objects.Flavor.get_by_name(context, 'm1.tiny'))
        instance.create()
        return instance

    def _create_migration(self, context):
        migration = objects.Migration(
            context, instance_uuid=self.instance.uuid,
            source_compute='host-a', dest_compute='host-b',
            status='running (post-copy)', migration_type='live-migration',
            user_id=uuids.user, project_id=self.project_id, post_copy=True,
            memory_total=1, memory_processed=1, memory_remaining=0,
            disk_total=0, disk_processed=0, disk_remaining=0)
        migration.create()
        return migration

    def _live_migrate(self, authorized, rule, **action):
        self.reached.clear()
        self.common_policy_auth(
            authorized, rule,
            migrate_server.MigrateServerController()._migrate_live, self.req,
            self.instance.uuid,
            body={'os-migrateLive': {
                'host': None, 'block_migration': 'auto', **action}})
        self.assertEqual(sorted(context.user_id for context in authorized),
                         sorted(self.reached))

    def test_ask_for_post_copy(self):
        for value in (True, False):
            self._live_migrate(
                self.managers, policies.POST_COPY, post_copy=value)

    def test_whoever_may_not_live_migrate_may_not_by_post_copy(self):
        self.policy.set_rules({policies.POST_COPY: '@'}, overwrite=False)
        self._live_migrate(self.managers, functools.partial(
            base.rule_if_system, policies.POST_COPY, MIGRATE_LIVE),
            post_copy=True)

    def test_a_destination_is_for_admins_as_ever(self):
        self.policy.set_rules(
            {MIGRATE_LIVE: '@', policies.POST_COPY: '@'}, overwrite=False)
        self._live_migrate(self.admins, functools.partial(
            base.rule_if_system, policies.POST_COPY, MIGRATE_LIVE + ':host'),
            post_copy=True, host='host-b')

    def test_for_admins_only(self):
        self.policy.set_rules(
            {policies.POST_COPY: base_policies.ADMIN}, overwrite=False)
        self._live_migrate(self.admins, policies.POST_COPY, post_copy=True)

    def test_for_members_too(self):
        members = self.managers | {self.project_member_context}
        rule = base_policies.PROJECT_MEMBER_OR_ADMIN
        self.policy.set_rules(
            {MIGRATE_LIVE: rule, policies.POST_COPY: rule}, overwrite=False)
        self._live_migrate(members, policies.POST_COPY, post_copy=True)

    def test_list_migrations_of_a_server(self):
        self.common_policy_auth(
            self.managers, SERVER_MIGRATIONS % 'index',
            server_migrations.ServerMigrationsController().index, self.req,
            self.instance.uuid)

    def test_hosts_in_that_list(self):
        self.policy.set_rules(
            {SERVER_MIGRATIONS % 'index': '@'}, overwrite=False)
        controller = server_migrations.ServerMigrationsController()
        for context in self.all_project_contexts:
            self.req.environ['nova.context'] = context
            (migration,) = controller.index(
                self.req, self.instance.uuid)['migrations']
            self.assertIs(True, migration['post_copy'])
            self.assertEqual(
                'host-b' if context in self.admins else None,
                migration['dest_compute'], context.user_id)

    def test_show_one(self):
        self.common_policy_auth(
            self.admins, SERVER_MIGRATIONS % 'show',
            server_migrations.ServerMigrationsController().show, self.req,
            self.instance.uuid, str(self.migration.id))

    def test_abort_and_force_to_complete(self):
        # Refused for the state of the migration, once the policy is passed.
        controller = server_migrations.ServerMigrationsController()
        for context in self.all_contexts:
            self.req.environ['nova.context'] = context
            for ask, rule, kwargs in (
                (controller.delete, 'delete', {}),
                (controller._force_complete, 'force_complete',
                 {'body': {'force_complete': None}}),
            ):
                refusal = self.assertRaises(
                    exc.HTTPConflict if context in self.managers
                    else exception.PolicyNotAuthorized,
                    ask, self.req, server_id=self.instance.uuid,
                    id=str(self.migration.id), **kwargs)
                self.assertIn(
                    'switched to post-copy' if context in self.managers
                    else SERVER_MIGRATIONS % rule, str(refusal))

    def test_list_all_migrations(self):
        index, all_projects = (
            MIGRATIONS % 'index', MIGRATIONS % 'index:all_projects')
        for context, project_id, seen in (
            (self.project_admin_context, None, [True]),
            (self.legacy_admin_context, None, [True]),
            (self.project_manager_context, self.project_id, [True]),
            (self.project_manager_context, None, all_projects),
            (self.project_member_context, self.project_id, index),
            (self.project_reader_context, self.project_id, index),
            (self.project_foo_context, self.project_id, index),
            (self.other_project_manager_context, self.project_id_other, []),
            (self.other_project_manager_context, self.project_id,
             all_projects),
            (self.service_context, self.project_id, index),
            (self.system_admin_context, None, index),
            (self.system_reader_context, None, index),
        ):
            self.assertEqual(seen, self._index(context, project_id),
                             context.user_id)

    def _index(self, context, project_id):
        """Return the flag of each migration seen, or the rule in the way."""
        query = '?project_id=' + project_id if project_id else ''
        req = fakes.HTTPRequest.blank(
            '/os-migrations' + query, version=microversion.VERSION)
        req.environ['nova.context'] = context
        try:
            found = migrations.MigrationsController().index(req)['migrations']
        except exception.PolicyNotAuthorized as refusal:
            return refusal.kwargs['action']
        return [migration['post_copy'] for migration in found]
