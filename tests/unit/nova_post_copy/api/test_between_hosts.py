# SPDX-License-Identifier: Apache-2.0

import inspect

from nova.compute import api as compute
from nova.compute import rpcapi as compute_rpcapi
from nova.compute import task_states
from nova.compute import vm_states
from nova import exception as nova_exception
from nova import objects
import testtools

from nova_post_copy.api import between_hosts
from nova_post_copy.api.between_hosts import Refused
from nova_post_copy.conductor import rpcapi
from nova_post_copy.seams import api as seams
from tests.unit.nova_post_copy.api import base

BEFORE_LIBVIRT = ('accepted', 'queued', 'preparing')
BETWEEN_HOSTS = ('running', 'running (post-copy)', 'interrupted (post-copy)',
                 'post-migrating')
FINAL = ('completed', 'cancelled', 'error', 'failed')

# For evacuate: what each kind of microversion wants in the body.
BODIES = {
    '2.1': {'onSharedStorage': 'True'},
    '2.13': {'onSharedStorage': 'True'},
    '2.14': {},
    '2.28': {'host': 'host-b'},
    '2.29': {'host': 'host-b', 'force': False},
    '2.67': {'host': 'host-b', 'force': True},
    '2.68': {'host': 'host-b'},
    '2.95': {},
    base.BELOW: {'host': 'host-b'},
    base.VERSION: {},
}
# Of a method, what tells that it is about a server.
SERVER = {'instance', 'instances', 'instance_list', 'instance_id',
          'instance_uuid', 'volume_id'}


class TestRules(testtools.TestCase):

    def test_each_method_that_gets_a_server_has_a_rule(self):
        methods = {
            name for name, method in inspect.getmembers(
                compute.API, inspect.isfunction)
            if not name.startswith('_') and
            SERVER & set(inspect.signature(method).parameters)}
        self.assertEqual(methods, set(between_hosts.RULES))

    def test_each_that_is_refused_has_a_seam(self):
        self.assertEqual(
            {name for name, rule in between_hosts.RULES.items()
             if rule.refused is not Refused.NEVER} - {'live_migrate'},
            {seam.name.removeprefix('API.') for seam in seams.SEAMS
             if 'api.between_hosts' in seam.ours
             and seam.name.startswith('API.')
             and not seam.name.startswith('API._')
             and seam.name != 'API.servicegroup_api'})

    def test_what_upstream_refuses_while_migrating_is_refused(self):
        # All that upstream limits to servers without a task.
        for name, rule in between_hosts.RULES.items():
            for check in _state_checks(getattr(compute.API, name)):
                if check['task_state'] == {None}:
                    self.assertIs(Refused.UNFINISHED, rule.refused, name)


def _state_checks(method):
    """Find what ``check_instance_state`` was told around a method."""
    while method is not None:
        if 'must_have_launched' in method.__code__.co_freevars:
            yield inspect.getclosurevars(method).nonlocals
        method = getattr(method, '__wrapped__', None)


class BetweenHosts(base.ApiTestCase):

    def setUp(self):
        super().setUp()
        # Named in a notification, not asked.
        self.flags(api_servers=['http://127.0.0.1:9292'], group='glance')
        objects.HostMapping(
            self.cell_context, host='host-b',
            cell_mapping=self.cell_mappings['cell1']).create()

    def host_is_down(self, host='host-a'):
        service = objects.Service.get_by_compute_host(self.cell_context, host)
        service.forced_down = True
        service.save()

    def task_state_is(self, task_state):
        self.instance.task_state = task_state
        self.instance.save()

    def act(self, action, **kwargs):
        return self.answer(
            'POST', '/servers/%s/action' % self.instance.uuid, action,
            **kwargs)

    def answer(self, *args, **kwargs):
        """Return the status and, of an error, the message."""
        status, body = self.rest(*args, **kwargs)
        return status, (next(iter(body.values()))['message']
                        if status >= 400 else None)

    def reset_state(self, state):
        self.assertEqual(
            (202, None), self.act({'os-resetState': {'state': state}}))

    def assert_nothing_was_done(self):
        self.assertEqual([], self.upstream_conductor.requests)
        self.instance.refresh()
        self.assertEqual('host-a', self.instance.host)
        self.assertEqual(set(), {
            action.action for action in
            objects.InstanceActionList.get_by_instance_uuid(
                self.cell_context, self.instance.uuid)} - {'resetState'})


class TestUnfinished(BetweenHosts):

    def test_whatever_the_task_state(self):
        for status in BEFORE_LIBVIRT + BETWEEN_HOSTS:
            migration = self.create_migration(status, post_copy=True)
            for task_state in (task_states.MIGRATING, None):
                self.task_state_is(task_state)
                for action in ({'os-stop': None}, {'pause': None},
                               {'reboot': {'type': 'HARD'}},
                               {'suspend': None}, {'shelve': None},
                               {'migrate': None}):
                    answer, message = self.act(action)
                    self.assertEqual(409, answer, (action, message))
                    self.assertIn('live migration %d has not finished '
                                  '(status "%s")' % (migration.id, status),
                                  message)
                    self.assertNotIn('host-', message)
            self.assert_nothing_was_done()
            migration.status = 'completed'
            migration.save()

    def test_live_migration_without_post_copy_after_reset_state(self):
        self.task_state_is(task_states.MIGRATING)
        self.create_migration('running (post-copy)', post_copy=True)
        for state in ('active', 'error'):
            self.reset_state(state)
            for version in ('2.30', '2.95', base.BELOW, base.VERSION):
                status, message = self.act({'os-migrateLive': {
                    'host': None, 'block_migration': 'auto'}},
                    version=version)
                self.assertEqual(409, status, message)
                self.assertIn('can no longer be aborted', message)
            self.assert_nothing_was_done()

    def test_what_to_do(self):
        for status, advice in (
                ('queued', 'Abort it, or wait'),
                ('running', 'Abort it, or wait'),
                ('running (post-copy)', 'It can no longer be aborted'),
                ('interrupted (post-copy)', 'resumes when its hosts')):
            migration = self.create_migration(status, post_copy=True)
            _status, message = self.act({'os-stop': None})
            self.assertIn(advice, message)
            migration.status = 'error'
            migration.save()

    def test_by_anybody(self):
        self.create_migration('running', post_copy=True)
        status, message = self.act({'os-stop': None}, roles=['member'])
        self.assertEqual(409, status, message)
        self.assertIn('has not finished', message)

    def test_history(self):
        # Evacuated from a host that died with a request in its queue.
        self.create_migration('queued', post_copy=True)
        self.instance.host = 'host-b'
        self.instance.save()
        with self.patch_rpc('stop_instance'):
            self.assertEqual((202, None), self.act({'os-stop': None}))

    def test_everyone_else_as_upstream(self):
        for asked in ({}, {'post_copy': False}):
            self.create_migration('running', **asked)
        for status in FINAL:
            self.create_migration(status, post_copy=True)
        self.task_state_is(task_states.MIGRATING)
        _status, message = self.act({'os-stop': None})
        self.assertIn('while it is in task_state migrating', message)
        self.task_state_is(None)
        with self.patch_rpc('stop_instance'):
            self.assertEqual((202, None), self.act({'os-stop': None}))

    def test_a_server_without_a_host(self):
        # It has no migration, and maybe no cell to ask for one.
        self.instance.host = None
        self.instance.save()

        def ask(*args):
            self.fail('The database of which cell?')

        self.stub_out('nova_post_copy.objects.migration.between_hosts', ask)
        _status, message = self.act({'os-stop': None})
        self.assertIn('is not ready', message)

    def test_what_goes_beside(self):
        self.create_migration('running (post-copy)', post_copy=True)
        for action in ({'lock': None}, {'unlock': None}):
            self.assertEqual((202, None), self.act(action))

    def test_volume_snapshot(self):
        # Cinder's client and upstream's controller know 400.
        self.create_migration('running (post-copy)', post_copy=True)
        volume = '2b42e3e0-d9d5-4b8f-a2c8-d1b1a9a4f7b1'
        objects.BlockDeviceMapping(
            self.cell_context, instance_uuid=self.instance.uuid,
            source_type='volume', destination_type='volume',
            volume_id=volume, device_name='/dev/vdb').create()
        status, message = self.answer(
            'POST', '/os-assisted-volume-snapshots', {'snapshot': {
                'volume_id': volume, 'create_info': {
                    'snapshot_id': volume, 'type': 'qcow2',
                    'new_file': 'new'}}})
        self.assertEqual(400, status, message)
        self.assertIn('has not finished', message)


class TestTwoRequestsAtOneMoment(BetweenHosts):

    def test_the_second_is_refused(self):
        # Between reading the server and changing it, another one did.
        def save(instance, *args, **kwargs):
            raise nova_exception.UnexpectedTaskStateError(
                instance_uuid=instance.uuid, expected={'task_state': [None]},
                actual={'task_state': 'migrating'})

        self.serve(rpcapi.RPC_TOPIC, 'conductor', base.PostCopyConductor())
        self.serve(compute_rpcapi.RPC_TOPIC, 'host-a', base.Compute())
        self.stub_out('nova.objects.Instance.save', save)
        for action in (
                {'os-migrateLive': {'host': None, 'block_migration': 'auto'}},
                {'os-migrateLive': {'host': None, 'block_migration': 'auto',
                                    'post_copy': True}},
                {'os-stop': None}, {'reboot': {'type': 'HARD'}}):
            status, message = self.act(action)
            self.assertEqual(409, status, (action, message))
            self.assertIn('another request changed it', message)


class TestEvacuate(BetweenHosts):

    def evacuate(self, version=base.VERSION, **kwargs):
        return self.act({'evacuate': BODIES[version]}, version=version,
                        **kwargs)

    def assert_not_evacuated(self):
        self.assert_nothing_was_done()
        self.assertEqual(
            [], list(objects.MigrationList.get_by_filters(
                self.cell_context, {'migration_type': 'evacuation'})))

    def assert_evacuated(self, version=base.VERSION):
        status, message = self.evacuate(version)
        self.assertEqual(200, status, message)
        self.assertTrue(self.upstream_conductor.requests.pop()['recreate'])
        self.instance.refresh()
        self.assertEqual(task_states.REBUILDING, self.instance.task_state)

    def test_refused_at_every_microversion(self):
        self.host_is_down()
        self.task_state_is(task_states.MIGRATING)
        for between in BETWEEN_HOSTS:
            migration = self.create_migration(between, post_copy=True)
            for version in BODIES:
                status, message = self.evacuate(version)
                self.assertEqual(409, status, (version, message))
                self.assert_not_evacuated()
            migration.status = 'completed'
            migration.save()

    def test_after_reset_state(self):
        # As Masakari does: within a second, and again.
        self.host_is_down()
        self.task_state_is(task_states.MIGRATING)
        for between in BETWEEN_HOSTS:
            migration = self.create_migration(between, post_copy=True)
            for version in BODIES:
                self.reset_state('error')
                for _time in range(2):
                    status, message = self.evacuate(version)
                    self.assertEqual(409, status, (version, message))
            self.assert_not_evacuated()
            migration.status = 'completed'
            migration.save()

    def test_also_while_nova_compute_is_up(self):
        # It may be taken for down a moment later, when upstream looks.
        self.create_migration('running', post_copy=True)
        self.assertEqual(409, self.evacuate()[0])
        self.assert_not_evacuated()

    def test_what_the_operator_reads(self):
        self.host_is_down()
        migration = self.create_migration('running', post_copy=True)
        for between, where in (
            ('running', 'runs on host-a or already on host-b'),
            ('running (post-copy)',
             'runs on host-b, with part of its memory still on host-a'),
            ('interrupted (post-copy)',
             'runs on host-b, with part of its memory still on host-a'),
        ):
            migration.status = between
            migration.save()
            _status, message = self.evacuate()
            for words in (self.instance.uuid, where, '"%s"' % between,
                          'Start nova-compute on host-a',
                          '"nova-post-copy-manage migration give-up"'):
                self.assertIn(words, message)

    def test_before_libvirt_was_asked(self):
        self.host_is_down()
        for status in BEFORE_LIBVIRT:
            self.task_state_is(task_states.MIGRATING)
            migration = self.create_migration(status, post_copy=True)
            self.assert_evacuated()
            migration.status = 'error'
            migration.save()

    def test_migrations_that_have_ended(self):
        self.host_is_down()
        self.task_state_is(task_states.MIGRATING)
        for status in FINAL:
            self.create_migration(status, post_copy=True)
        self.assert_evacuated()

    def test_everyone_else_as_upstream(self):
        # Whatever the host allows, nobody asked for it.
        self.host_is_down()
        for asked in ({}, {'post_copy': False}):
            migration = self.create_migration('running', **asked)
            for version in BODIES:
                self.task_state_is(task_states.MIGRATING)
                self.assert_evacuated(version)
            migration.status = 'completed'
            migration.save()

    def test_policy_and_schema_come_first(self):
        self.create_migration('running (post-copy)', post_copy=True)
        self.policy.set_rules(
            {'os_compute_api:os-evacuate': '!'}, overwrite=False)
        self.assertEqual(403, self.evacuate()[0])
        self.assertEqual(400, self.act({'evacuate': {'unknown': 1}})[0])
        self.assert_not_evacuated()


class TestDelete(BetweenHosts):

    ACTIONS = ('delete', 'force delete', 'soft delete')

    def delete(self, action, **kwargs):
        self.flags(reclaim_instance_interval=60 * (action == 'soft delete'))
        if action == 'force delete':
            return self.act({'forceDelete': None}, **kwargs)
        return self.answer(
            'DELETE', '/servers/%s' % self.instance.uuid, **kwargs)

    def test_refused_where_nobody_could_carry_it_out(self):
        self.host_is_down()
        for status in BETWEEN_HOSTS:
            migration = self.create_migration(status, post_copy=True)
            for task_state in (task_states.MIGRATING, None):
                self.task_state_is(task_state)
                for action in self.ACTIONS:
                    answer, message = self.delete(action)
                    self.assertEqual(409, answer, (action, message))
                    self.assertIn('was not deleted', message)
                    self.assertNotIn('host-', message)
                    self.assert_nothing_was_done()
                    self.assertEqual(task_state, self.instance.task_state)
            migration.status = 'completed'
            migration.save()

    def test_a_tenant_may_be_told(self):
        self.host_is_down()
        self.create_migration('running (post-copy)', post_copy=True)
        status, message = self.delete('delete', roles=['member'])
        self.assertEqual(409, status, message)
        self.assertIn('Repeat the request', message)

    def test_taken_by_the_host(self):
        migration = self.create_migration(
            'interrupted (post-copy)', post_copy=True)
        for action, method in zip(self.ACTIONS, (
                'terminate_instance', 'terminate_instance',
                'soft_delete_instance')):
            self.task_state_is(task_states.MIGRATING)
            with self.patch_rpc(method) as requests:
                self.assertIn(self.delete(action)[0], (202, 204))
            self.assertEqual(1, len(requests), action)
        self.assertEqual(
            'interrupted (post-copy)', objects.Migration.get_by_id(
                self.cell_context, migration.id).status)

    def test_soft_delete_while_the_destination_is_chosen(self):
        self.create_migration('accepted', post_copy=True)
        for task_state in (task_states.MIGRATING, None):
            self.task_state_is(task_state)
            answer, message = self.delete('soft delete')
            self.assertEqual(409, answer, message)
            self.assertIn('in a moment', message)
            self.assert_nothing_was_done()

    def test_before_libvirt_was_asked(self):
        # As upstream: the server is on its source, and nowhere else.
        self.create_migration('queued', post_copy=True)
        with self.patch_rpc('terminate_instance') as requests:
            self.assertEqual(204, self.delete('delete')[0])
        self.assertEqual(1, len(requests))


class TestAlreadyThere(BetweenHosts):

    def live_migrate(self, **more):
        return self.act({'os-migrateLive': {
            'host': 'host-a', 'block_migration': 'auto'} | more})

    def test_a_destination_that_is_the_source(self):
        for more in ({'post_copy': True}, {'post_copy': False},
                     {'post_copy': True, 'host': 'host-a'}):
            status, message = self.live_migrate(**more)
            self.assertEqual(400, status, message)
            self.assertIn('to current host', message)
            self.assert_unchanged()

    def test_without_post_copy_as_upstream(self):
        # It is accepted; the conductor refuses it in the instance action.
        self.assertEqual((202, None), self.live_migrate())
        self.assertEqual(vm_states.ACTIVE, self.instance.vm_state)
