# SPDX-License-Identifier: Apache-2.0

"""The API's answer to each action, in each phase, to a simulated cloud.

Taken requests end where nova-api hands them over: what becomes of them is
shown by other tests.
"""

import threading

import fixtures
from nova import context
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import guest
from tests.functional import answers
from tests.functional.answers import Phase
from tests.functional import base

# Where nova-api hands a request over.
HANDED_OVER = (
    'nova.compute.rpcapi.ComputeAPI.terminate_instance',
    'nova.compute.rpcapi.ComputeAPI.soft_delete_instance',
    'nova.compute.rpcapi.ComputeAPI.live_migration_abort',
    'nova.compute.rpcapi.ComputeAPI.live_migration_force_complete',
    'nova.conductor.api.ComputeTaskAPI.rebuild_instance',
    'nova.compute.api.API._local_delete',
)


# Not because of a migration: a server in ERROR gets neither.
UPSTREAM_REFUSES = (('error', '/tags'), ('error', '/metadata'))


class Answers:
    """The test; a subclass brings a migration to its phase, and holds it."""

    PHASE: Phase

    def test_while_nova_compute_is_up(self):
        self._check(is_up=True)

    def test_while_nova_compute_is_down(self):
        self._force_down()
        self._check(is_up=False)

    def _check(self, is_up):
        self.placeholders = self._placeholders()
        for name in HANDED_OVER:
            self.useFixture(fixtures.MonkeyPatch(
                name, lambda *args, **kwargs: None))
        wrong = [
            '%s: %s %s, nova-compute %s, reset to %s: %d in place of %d (%s)'
            % (action.name, request.method, request.body or request.path,
               'up' if is_up else 'down', reset, status, expected, message)
            for reset in (None, 'active', 'error')
            for action in answers.ACTIONS
            for request in action.requests
            if (reset, request.path) not in UPSTREAM_REFUSES
            for reclaim in ((0, 60) if request.method == 'DELETE' and
                            not request.path else (0,))
            for expected in [action.answer(
                self.PHASE, is_up, reset is not None).status]
            for status, message in [self._ask(request, reset, reclaim)]
            if status != expected]
        self.assertEqual([], wrong)
        self.assertEqual([], self.hosts.ran_twice(self.server['id']))

    def _ask(self, request, reset, reclaim):
        self._restore()
        self.flags(reclaim_instance_interval=reclaim)
        path = '/servers/' + self.server['id']
        if reset:
            self.api.post_server_action(
                self.server['id'], {'os-resetState': {'state': reset}})
        method, below, body = request.fill(self.placeholders)
        return self.request(method, path + below, body)

    def _restore(self):
        """Undo what nova-api has written for a request that it took."""
        with self._cell() as cell:
            instance = objects.Instance.get_by_uuid(cell, self.server['id'])
            instance.task_state = 'migrating'
            instance.vm_state = 'active'
            instance.deleted_at = None
            instance.save()
            for migration in objects.MigrationList.get_by_filters(
                    cell, {'migration_type': 'evacuation'}):
                migration.status = 'error'
                migration.save()
        mapping = objects.InstanceMapping.get_by_instance_uuid(
            context.get_admin_context(), self.server['id'])
        mapping.queued_for_delete = False
        mapping.save()

    def _cell(self):
        return context.target_cell(
            context.get_admin_context(), self.cell_mappings['cell1'])

    def _placeholders(self):
        with self._cell() as cell:
            # There for the API, and nowhere else.
            bdm = objects.BlockDeviceMapping(
                cell, instance_uuid=self.server['id'],
                volume_id=self.cinder.SWAP_OLD_VOL, source_type='volume',
                destination_type='volume', device_name='/dev/vdx')
            bdm.create()
        self.addCleanup(self._remove, bdm)
        return {
            answers.IMAGE: self.server['image']['id'],
            answers.FLAVOR: self.api.get_flavors()[1]['id'],
            answers.VOLUME: self.cinder.SWAP_OLD_VOL,
            answers.OTHER_VOLUME: self.cinder.IMAGE_BACKED_VOL,
            answers.PORT: uuids.port,
            answers.MIGRATION: str(self.migration['id']),
        }

    def _remove(self, bdm):
        with self._cell() as cell:
            bdm._context = cell
            bdm.destroy()

    def _force_down(self):
        (service,) = self.api.get_services(host='src', binary='nova-compute')
        self.api.put_service(service['id'], {'forced_down': True})


class TestBefore(Answers, base.TwoHosts):
    PHASE = Phase.BEFORE

    def setUp(self):
        super().setUp()
        released = threading.Event()
        self.useFixture(fixtures.MonkeyPatch(
            'nova.compute.manager.ComputeManager._do_live_migration',
            lambda *args, **kwargs: released.wait()))
        self.addCleanup(released.set)
        self.live_migrate(True)
        self.migration = self.wait_for_migration('queued')


class OnItsWay(base.TwoHosts):
    PHASE: Phase
    STOP_AT: guest.Happening

    def setUp(self):
        super().setUp()
        # It stands still, and is not broken.
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.decisions.recovery.STALLED_AFTER_S', 600.0))
        self.make_busy()
        self.stop_at(self.STOP_AT)
        self.live_migrate(True)
        self.wait_until_stopped()
        self.migration = self.wait_for_migration(str(self.PHASE))


class TestPreCopy(Answers, OnItsWay):
    PHASE = Phase.PRE_COPY
    STOP_AT = guest.Happening.ITERATION


class TestPostCopy(Answers, OnItsWay):
    PHASE = Phase.POST_COPY
    STOP_AT = guest.Happening.RESUMED


class TestInterrupted(Answers, base.BreakingHosts):
    PHASE = Phase.INTERRUPTED

    def setUp(self):
        super().setUp()
        self.begin()
        self.migration = self.interrupt()
