# SPDX-License-Identifier: Apache-2.0

from neutronclient.common import exceptions as neutron_exception
from nova import test

from nova_post_copy.compute import bindings
from tests.unit.nova_post_copy.compute import base


class TestBindings(base.ReconcileTestCase):

    def settle(self, **found):
        self.network.bindings = found
        bindings.settle(self.manager, self.context, self.instance, ['dest'])
        return self.network.bindings

    def test_agree(self):
        self.assertEqual({'src': 'ACTIVE'}, self.settle(src='ACTIVE'))
        self.assertEqual([], self.outside.done)

    def test_the_guest_never_left(self):
        self.assertEqual({'src': 'ACTIVE'},
                         self.settle(src='INACTIVE', dest='ACTIVE'))

    def test_stale_one(self):
        self.assertEqual({'src': 'ACTIVE'},
                         self.settle(src='ACTIVE', dest='INACTIVE'))
        self.assertEqual([('remove ports', 'dest', True)], self.outside.done)

    def test_none_is_active(self):
        self.assertEqual({'src': 'ACTIVE'}, self.settle(src='INACTIVE'))

    def test_not_bound_by_host(self):
        # That is for upstream to do.
        self.assertEqual({'third': 'ACTIVE'}, self.settle(third='ACTIVE'))

    def test_neutron_is_too_old(self):
        self.network.has_port_binding_extension = lambda context: False
        self.settle(src='INACTIVE', dest='ACTIVE')
        self.assertEqual([], self.outside.done)

    def test_another_thread_was_faster(self):
        def conflict(port, host):
            raise neutron_exception.Conflict()
        self.network.activate_port_binding = conflict
        self.settle(src='INACTIVE')

    def test_neutron_does_not_answer(self):
        for error in ('list ports', 'activate', 'remove ports'):
            self.outside.error = error
            self.assertRaises(test.TestingException, self.settle,
                              src='INACTIVE', dest='ACTIVE')

    def test_status_cannot_be_told(self):
        def fails(port, host):
            raise neutron_exception.ServiceUnavailable()
        self.network.show_port_binding = fails
        self.assertRaises(neutron_exception.ServiceUnavailable, self.settle)
