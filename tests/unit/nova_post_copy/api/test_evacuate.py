# SPDX-License-Identifier: Apache-2.0

from nova.compute import task_states
from nova.compute import vm_states
from nova import objects

from tests.unit.nova_post_copy.api import base

IN_LIBVIRT = ('running', 'running (post-copy)', 'interrupted (post-copy)')

# What each kind of microversion wants in the body.
BODIES = {
    '2.1': {'onSharedStorage': 'True'},
    '2.13': {'onSharedStorage': 'True'},
    '2.14': {},
    '2.29': {'force': False},
    '2.68': {},
    '2.95': {},
    base.BELOW: {},
    base.VERSION: {},
}


class TestEvacuate(base.ApiTestCase):

    def setUp(self):
        super().setUp()
        # Named in a notification, not asked.
        self.flags(api_servers=['http://127.0.0.1:9292'], group='glance')

    def _host_is_down(self, host='host-a'):
        service = objects.Service.get_by_compute_host(self.cell_context, host)
        service.forced_down = True
        service.save()

    def _task_state_is(self, task_state):
        self.instance.task_state = task_state
        self.instance.save()

    def _evacuate(self, version=base.VERSION, **kwargs):
        status, body = self.rest(
            'POST', '/servers/%s/action' % self.instance.uuid,
            {'evacuate': BODIES[version]}, version=version, **kwargs)
        message = (next(iter(body.values()))['message']
                   if status >= 400 else None)
        return status, message

    def _assert_not_evacuated(self):
        self.assertEqual([], self.upstream_conductor.requests)
        self.instance.refresh()
        self.assertEqual(task_states.MIGRATING, self.instance.task_state)
        self.assertEqual('host-a', self.instance.host)
        self.assertEqual(
            [], list(objects.InstanceActionList.get_by_instance_uuid(
                self.cell_context, self.instance.uuid)))
        self.assertEqual(
            [], list(objects.MigrationList.get_by_filters(
                self.cell_context, {'migration_type': 'evacuation'})))

    def _assert_evacuated(self, version=base.VERSION):
        status, message = self._evacuate(version)
        self.assertEqual(200, status, message)
        self.assertTrue(self.upstream_conductor.requests.pop()['recreate'])
        self.instance.refresh()
        self.assertEqual(task_states.REBUILDING, self.instance.task_state)

    def test_refused_at_every_microversion(self):
        self._host_is_down()
        self._task_state_is(task_states.MIGRATING)
        for in_libvirt in IN_LIBVIRT:
            migration = self.create_migration(in_libvirt, post_copy=True)
            for version in BODIES:
                status, message = self._evacuate(version)
                self.assertEqual(409, status, (version, message))
                self._assert_not_evacuated()
            migration.status = 'completed'
            migration.save()

    def test_what_the_operator_reads(self):
        self._host_is_down()
        self._task_state_is(task_states.MIGRATING)
        migration = self.create_migration('running', post_copy=True)
        for in_libvirt, where in (
            ('running', 'runs on host-a or already on host-b'),
            ('running (post-copy)',
             'runs on host-b, with part of its memory still on host-a'),
            ('interrupted (post-copy)',
             'runs on host-b, with part of its memory still on host-a'),
        ):
            migration.status = in_libvirt
            migration.save()
            _status, message = self._evacuate()
            for words in (self.instance.uuid, where, '"%s"' % in_libvirt,
                          'Start nova-compute on host-a',
                          '"nova reset-state"'):
                self.assertIn(words, message)

    def test_also_a_server_in_error(self):
        # As the destination leaves it when the source is dead.
        self._host_is_down()
        self._task_state_is(task_states.MIGRATING)
        self.instance.vm_state = vm_states.ERROR
        self.instance.save()
        self.create_migration('interrupted (post-copy)', post_copy=True)
        self.assertEqual(409, self._evacuate()[0])
        self._assert_not_evacuated()

    def test_after_reset_state(self):
        self._host_is_down()
        self._task_state_is(task_states.MIGRATING)
        self.create_migration('interrupted (post-copy)', post_copy=True)
        self.assertEqual(202, self.rest(
            'POST', '/servers/%s/action' % self.instance.uuid,
            {'os-resetState': {'state': 'error'}})[0])
        self._assert_evacuated()

    def test_before_libvirt_was_asked(self):
        self._host_is_down()
        for status in ('accepted', 'queued', 'preparing'):
            self._task_state_is(task_states.MIGRATING)
            migration = self.create_migration(status, post_copy=True)
            self._assert_evacuated()
            migration.status = 'error'
            migration.save()

    def test_migrations_that_have_ended(self):
        self._host_is_down()
        self._task_state_is(task_states.MIGRATING)
        for status in ('completed', 'cancelled', 'error', 'failed'):
            self.create_migration(status, post_copy=True)
        self._assert_evacuated()

    def test_everyone_else_as_upstream(self):
        # Whatever the host allows, nobody asked for it.
        self._host_is_down()
        for asked in ({}, {'post_copy': False}):
            self._task_state_is(task_states.MIGRATING)
            migration = self.create_migration('running', **asked)
            for version in BODIES:
                self._task_state_is(task_states.MIGRATING)
                self._assert_evacuated(version)
            migration.status = 'completed'
            migration.save()

    def test_upstreams_refusals_come_first(self):
        self._task_state_is(task_states.MIGRATING)
        self.create_migration('running (post-copy)', post_copy=True)
        # nova-compute is up.
        status, message = self._evacuate()
        self.assertEqual(400, status)
        self.assertIn('Compute service of host-a is still in use', message)
        self._host_is_down()
        self.policy.set_rules(
            {'os_compute_api:os-evacuate': '!'}, overwrite=False)
        self.assertEqual(403, self._evacuate()[0])
        status, _body = self.rest(
            'POST', '/servers/%s/action' % self.instance.uuid,
            {'evacuate': {'unknown': 1}})
        self.assertEqual(400, status)
        self._assert_not_evacuated()
