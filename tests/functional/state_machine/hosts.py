# SPDX-License-Identifier: Apache-2.0

"""Faults of the network, of services, of QEMU and of disks."""

from hypothesis import strategies as st

from lab.simulation import guest
from tests.functional.state_machine import world

HOSTS = st.sampled_from(['src', 'dest'])


class Hosts(world.World):

    # The network

    @world.rule()
    def cut(self):
        self.hosts.cut()
        self.react()

    @world.rule()
    def heal(self):
        self.hosts.heal()
        self.react()

    @world.rule()
    def break_streams(self):
        # Where the devices are under way this costs the destination's QEMU.
        self.lost |= self.phase() is guest.Phase.SWITCH_OVER
        self.hosts.break_streams()
        self.react()

    # Nova, libvirt and QEMU

    @world.rule(host=HOSTS)
    def end_nova_compute(self, host):
        if host in self.test.computes:
            self.test.die(host)
            self.react()

    @world.rule(host=HOSTS)
    def start_nova_compute(self, host):
        self.test.restart_compute(host)
        self.react()

    @world.rule(host=HOSTS)
    def restart_libvirtd(self, host):
        self.hosts.daemons[host].restart()
        self.react()

    @world.rule(host=HOSTS)
    def kill_qemu(self, host):
        if self.is_active(host) and not self.lost:
            # The half of a guest, or all of it: not so an incoming one.
            self.lost |= (host == 'src' or
                          self.phase() in (None, *world.ON_BOTH))
            self.hosts.kill_qemu(host, self.server)
            self.react()

    @world.rule(host=HOSTS)
    def disconnect(self, host):
        """Take the control network of a host away, and no more."""
        if host in self.test.computes:
            self.test.processes[host].disconnect()
            self.react()

    @world.rule(host=HOSTS)
    def reconnect(self, host):
        if host in self.test.computes:
            self.test.processes[host].reconnect()
            self.react()

    # Other services

    @world.rule(call=st.sampled_from([
        'attachment_delete', 'attachment_create', 'attachment_get_all',
        None]), once=st.booleans())
    def cinder_fails(self, call, once):
        self.leaks |= self.deleted is not None
        self._fail(self.test.cinder, call, once)

    @world.rule(call=st.sampled_from([
        'activate_port_binding', 'delete_port_binding', 'update_port', None]),
        once=st.booleans())
    def neutron_fails(self, call, once):
        self._fail(self.test.neutron, call, once)

    def _fail(self, service, call, once):
        service.outage.begin(*([call] if call else []),
                             times=1 if once else float('inf'))
        self.react()

    @world.rule()
    def services_work(self):
        self.test.cinder.outage.end()
        self.test.neutron.outage.end()
        self.react()

    # Local disks

    @world.rule(host=HOSTS)
    def disk_is_full(self, host):
        self.test.images.full.add(host)

    @world.rule(host=HOSTS)
    def disk_cannot_be_read(self, host):
        self.test.unreadable.add(host)
        self.react()

    @world.rule(host=HOSTS)
    def disk_works(self, host):
        self.test.images.full.discard(host)
        self.test.unreadable.discard(host)
        self.react()

    @world.rule()
    def record_is_damaged(self):
        # What is not known is not deleted.
        self.forgot |= self.test.damage_record('src')
        self.react()
