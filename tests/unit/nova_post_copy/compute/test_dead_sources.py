# SPDX-License-Identifier: Apache-2.0

import datetime

from cinderclient import exceptions as cinder_exception
import fixtures
from nova.compute import vm_states
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids
from oslo_utils import timeutils

from nova_post_copy.compute import dead_sources
from nova_post_copy.decisions.condition import Condition
from tests.unit.nova_post_copy import cinder
from tests.unit.nova_post_copy.compute import base


class TestDeadSource(base.ReconcileTestCase):
    """On the destination, whose guest lacks memory."""

    def setUp(self):
        super().setUp()
        self.status('interrupted (post-copy)')
        self.manager.host = 'dest'
        self.up = False
        self.useFixture(fixtures.MonkeyPatch(
            'nova.servicegroup.API.service_is_up',
            lambda api, service: self.up and service.host == 'src'))
        self.driver.broken = [self.instance.uuid]
        self.driver.condition = Condition.BROKEN
        objects.Service(self.context, host='src',
                        binary='nova-compute').create()

    def report(self):
        dead_sources.report(self.manager, self.context)
        self.instance.refresh()
        return self.instance.vm_state

    def test_source_is_silent(self):
        # An alarm: the server runs, and controllers take ERROR for its end.
        self.assertEqual(vm_states.ACTIVE, self.report())
        self.assertIn('part of its memory is on src', self.fault())
        # It recovers if the source comes back.
        self.assertEqual(('interrupted (post-copy)', 'migrating'),
                         self.now())
        self.assertEqual('src', self.instance.host)
        self.assert_untouched()

    def test_operator_wants_to_see_an_error(self):
        self.flags(error_when_unreachable=True, group='post_copy')
        self.assertEqual(vm_states.ERROR, self.report())

    def test_told_once(self):
        self.report()
        self.report()
        (_fault,) = objects.InstanceFaultList.get_by_instance_uuids(
            self.context, [self.instance.uuid])

    def test_source_works(self):
        self.up = True
        self.change(task_state=None)
        self.assertEqual(vm_states.ACTIVE, self.report())
        self.assertIsNone(self.fault())
        # That is the source's to put back.
        self.assertIsNone(self.instance.task_state)

    def test_on_its_way_to_another_host(self):
        self.migration.dest_compute = 'third'
        self.migration.save()
        self.change(task_state=None)
        self.report()
        self.assertIsNone(self.fault())
        self.assertIsNone(self.instance.task_state)

    def test_recorded_here_already(self):
        self.change(host='dest')
        self.report()
        self.assertIsNone(self.fault())

    def test_guest_waits_for_nothing(self):
        self.driver.condition = Condition.POST_COPY
        self.report()
        self.assertIsNone(self.fault())

    def test_reset_is_put_back(self):
        for vm_state in (vm_states.ERROR, vm_states.ACTIVE):
            self.change(task_state=None, vm_state=vm_state)
            self.assertEqual(vm_states.ACTIVE, self.report())
            # It does not give the memory up.
            self.assertEqual(('interrupted (post-copy)', 'migrating'),
                             self.now())
            self.assertEqual('src', self.instance.host)

    def test_deleted(self):
        self.instance.destroy()
        dead_sources.report(self.manager, self.context)

    def give_up(self):
        self.status('error')
        self.change(host='dest', task_state=None, vm_state=vm_states.ERROR)
        self.network.bindings = {'src': 'INACTIVE', 'dest': 'ACTIVE'}
        self.manager.reportclient._held.add(self.migration.uuid)
        dead_sources.settle_given_up(self.manager, self.context)

    def test_given_up(self):
        self.give_up()
        self.assertEqual({'dest': 'ACTIVE'}, self.network.bindings)
        self.assertFalse(self.manager.reportclient._held)
        self.outside.done.clear()
        # That was all.
        dead_sources.settle_given_up(self.manager, self.context)
        self.assertEqual([], self.outside.done)

    def test_given_up_and_the_source_works(self):
        self.up = True
        self.give_up()
        self.assertEqual([], self.outside.done)

    def test_guest_that_nova_does_not_know(self):
        self.driver.broken.insert(0, uuids.unknown)
        self.give_up()
        self.assertEqual({'dest': 'ACTIVE'}, self.network.bindings)

    def test_given_up_and_on_another_host(self):
        self.migration.dest_compute = 'third'
        self.give_up()
        self.assertEqual([], self.outside.done)

    def test_given_up_before_and_leaving_now(self):
        # Interrupted in its turn: this host has the half that is left behind.
        self.migrates('interrupted (post-copy)', source_compute='dest',
                      dest_compute='third')
        self.give_up()
        self.assertEqual([], self.outside.done)

    def test_one_service_fails(self):
        self.outside.error = 'list ports'
        self.give_up()
        self.assertFalse(self.manager.reportclient._held)


class TestVolumes(TestDeadSource):
    """Attachments that the source has left, until Cinder agrees."""

    def setUp(self):
        super().setUp()
        self.cinder = self.useFixture(cinder.Cinder(self.instance.uuid))
        self.cinder.volumes[uuids.volume] = {
            uuids.source_attachment: 'src', uuids.dest_attachment: 'dest'}
        self.volumes.attachments = {
            uuids.source_attachment, uuids.dest_attachment}
        self.bdm = objects.BlockDeviceMapping(
            self.context, instance_uuid=self.instance.uuid,
            volume_id=uuids.volume, source_type='volume',
            destination_type='volume', attachment_id=uuids.dest_attachment,
            connection_info='{}')
        self.bdm.create()

    def deleted(self):
        """Return what is deleted, and has to be once only."""
        self.outside.done.clear()
        dead_sources.settle_given_up(self.manager, self.context)
        return [what[1] for what in self.outside.done
                if what[0] == 'delete attachment']

    def test_given_up(self):
        self.give_up()
        self.assertEqual({uuids.dest_attachment}, self.volumes.attachments)

    def fails_at_first(self):
        self.cinder.errors['get'] = cinder_exception.Unauthorized(401)
        self.give_up()
        self.assertIn('needs credentials of its own in [cinder]',
                      self.stdlog.logger.output)
        self.assertEqual([], self.deleted())
        self.cinder.errors.clear()

    def test_cinder_fails(self):
        self.fails_at_first()
        self.assertEqual([uuids.source_attachment], self.deleted())

    def test_started_again_before_cinder_agrees(self):
        self.fails_at_first()
        self.driver.broken = []
        self.change(vm_state=vm_states.ACTIVE)
        self.assertEqual([uuids.source_attachment], self.deleted())

    def test_deleted_before_cinder_agrees(self):
        self.fails_at_first()
        self.driver.broken = []
        self.bdm.destroy()
        self.instance.destroy()
        self.assertEqual([uuids.source_attachment], self.deleted())

    def test_source_comes_back(self):
        self.fails_at_first()
        self.driver.broken = []
        self.up = True
        self.assertEqual([], self.deleted())

    def test_not_for_ever(self):
        self.fails_at_first()
        self.driver.broken = []
        self.useFixture(fixtures.MonkeyPatch(
            'oslo_utils.timeutils.utcnow', self._two_days_later(
                timeutils.utcnow())))
        self.assertEqual([], self.deleted())

    def _two_days_later(self, now):
        return lambda with_timezone=False: now + datetime.timedelta(days=2)

    def test_server_is_on_the_source(self):
        # After a rollback, which its source finishes.
        self.driver.broken = []
        self.status('error')
        self.assertEqual([], self.deleted())
