# SPDX-License-Identifier: Apache-2.0


import fixtures
from nova.compute import vm_states
from nova import objects
from oslo_utils.fixture import uuidsentinel as uuids

from nova_post_copy.compute import dead_sources
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
        objects.Service(self.context, host='src',
                        binary='nova-compute').create()

    def report(self):
        dead_sources.report(self.manager, self.context)
        self.instance.refresh()
        return self.instance.vm_state

    def test_source_is_silent(self):
        self.assertEqual(vm_states.ERROR, self.report())
        self.assertIn('part of its memory is on src', self.fault())
        # It recovers if the source comes back.
        self.assertEqual(('interrupted (post-copy)', 'migrating'),
                         self.now())
        self.assertEqual('src', self.instance.host)
        self.assert_untouched()

    def test_told_once(self):
        self.report()
        self.report()
        (_fault,) = objects.InstanceFaultList.get_by_instance_uuids(
            self.context, [self.instance.uuid])

    def test_source_works(self):
        self.up = True
        self.assertEqual(vm_states.ACTIVE, self.report())
        self.assertIsNone(self.fault())

    def test_recorded_here_already(self):
        self.change(host='dest')
        self.assertEqual(vm_states.ACTIVE, self.report())

    def test_operator_gives_it_up(self):
        self.change(task_state=None)
        self.assertEqual(vm_states.ERROR, self.report())
        self.assertEqual(('error', None), self.now())
        self.assertEqual('dest', self.instance.host)
        self.assertIn('given up the source', self.fault())
        self.outside.done.clear()
        # That was all.
        self.report()
        self.assertEqual([], self.outside.done)

    def test_guest_that_nova_does_not_know(self):
        self.driver.broken.insert(0, uuids.unknown)
        self.assertEqual(vm_states.ERROR, self.report())
