# SPDX-License-Identifier: Apache-2.0

"""Ports follow the server, whatever fails (issue 11, sequences 0, 11, 12)."""

from lab.simulation import guest
from nova.network import neutron
from tests.functional import base


class Ports(base.BreakingHosts):
    NETWORKS = 'auto'

    def bindings(self):
        (bindings,) = self.neutron.bindings(self.server['id']).values()
        return bindings

    def wait_for_bindings(self, **expected):
        self.wait_for('bindings', lambda: self.bindings() == expected)


class TestRolledBack(Ports):
    """Sequence 0: the destination's were activated, the guest never left."""

    def setUp(self):
        super().setUp()
        self.migration = self.begin(guest.Happening.ITERATION)
        (port,) = self.neutron.bindings(self.server['id'])
        # As if libvirt's call had returned.
        self.neutron.activate_port_binding(port, 'dest')
        self.assertEqual({'src': 'INACTIVE', 'dest': 'ACTIVE'},
                         self.bindings())

    def test_by_libvirt(self):
        self.hosts.break_streams()
        self.go_on()
        self.settled('error', 'src')

    def test_by_a_user(self):
        self.api.api_delete('/servers/%s/migrations/%s' % (
            self.server['id'], self.migration['id']))
        self.go_on()
        self.settled('cancelled', 'src')

    def test_source_is_restarted_in_between(self):
        self.kill_compute('src')
        self.hosts.break_streams()
        self.restart_compute('src')
        self.go_on()
        self.settled('error', 'src')

    def test_neutron_fails_meanwhile(self):
        self.neutron.outage.begin('activate_port_binding', times=3)
        self.hosts.break_streams()
        self.go_on()
        self.settled('error', 'src')


class TestLost(Ports):
    """Sequence 11: the binding of the old host would be in the way."""

    def test_binding_of_the_old_host_goes(self):
        self.begin()
        self.hosts.kill_qemu('dest', self.server['id'])
        self.go_on()
        self.wait_for_migration('error')
        self.wait_until_settled()
        self.wait_for_bindings(dest='ACTIVE')
        # The real neutron answers 409 to a second binding of a host.
        self.neutron.create_port_binding(
            *self.neutron.bindings(self.server['id']),
            {'binding': {'host': 'src'}})


class TestCompleted(Ports):
    def test_neutron_fails_at_the_end(self):
        self.begin()
        self.neutron.outage.begin('delete_port_binding', times=2)
        self.go_on()
        self.wait_for_migration('completed')
        self.wait_for_bindings(dest='ACTIVE')
        self.assert_no_records()


class TestDeletedPort(Ports):
    """Sequence 12: the event went to the half that the guest has left."""

    def macs(self):
        (domain,) = self.hosts.domains(self.server['id']).values()
        return domain.macs()

    def interface_goes(self):
        self.go_on()
        self.wait_for_migration('completed')
        self.wait_until_settled()
        self.wait_for('no interface', lambda: not self.macs())
        self.assert_no_records()
        self.assertEqual([], self.show()['addresses'].get('private', []))

    def test_in_post_copy(self):
        self.begin()
        self.delete_port()
        self.interface_goes()

    def test_source_forgets_it_meanwhile(self):
        self.begin()
        self.delete_port()
        # As the periodic task of the source does.
        self.inside('src', self._refresh)
        self.interface_goes()

    def _refresh(self):
        context = base.context.get_admin_context()
        with base.context.target_cell(
                context, self.cell_mappings['cell1']) as cell:
            neutron.API().get_instance_nw_info(
                cell, base.objects.Instance.get_by_uuid(
                    cell, self.server['id'], expected_attrs=['info_cache']),
                force_refresh=True)
