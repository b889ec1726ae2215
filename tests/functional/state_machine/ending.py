# SPDX-License-Identifier: Apache-2.0

"""What must hold when everything works again.

The record agrees with the hosts. Then the server is deleted, and nothing of
it may be left anywhere.
"""

import time

from lab.simulation import guest
from nova.compute import task_states
from nova.compute import vm_states
from nova import context
from nova import objects
from nova.tests.fixtures import libvirt as fake
from tests.functional.state_machine import world

# Real seconds in which everything has to be quiet.
QUIET_S = 40.0
# Real seconds after which a delete that has failed is requested again.
AGAIN_S = 5.0
FINAL = {'completed', 'cancelled', 'error', 'failed', 'done'}


class Ending(world.World):

    def teardown(self):
        if not self.server:
            return
        self._repair()
        self._wait_for_nothing(self.complaint)
        if self.lost and self.shown_as_lost():
            # As the fault says; then what is left elsewhere goes.
            self.ask('POST', '/action', {'reboot': {'type': 'HARD'}})
            self.lost = False
            self.backup = self.touched = True
            self._wait_for_nothing(self.complaint)
        if self.deleted == 'soft delete':
            self.ask('POST', '/action', {'restore': None})
            self.deleted = None
            self.touched = True
            self._wait_for_nothing(self.complaint)
        self.all_holds()
        self.test.forget_server()
        self._wait_for_nothing(self.left)
        self.all_holds()

    def _repair(self):
        self.test.cinder.outage.end()
        self.test.neutron.outage.end()
        # As nova-compute says what is missing.
        self.test.cinder.needs_token = False
        self.test.images.full.clear()
        self.test.unreadable.clear()
        for process in list(self.test.processes.values()):
            process.reconnect()
        self.hosts.heal()
        self.hosts.clock.go_on()
        for host in self.test.HOSTS:
            self.test.force_down(host, False)
            if host not in self.test.computes:
                self.test.restart_compute(host)

    def _wait_for_nothing(self, complain):
        complaint = 'not looked at'
        give_up = time.monotonic() + QUIET_S
        while complaint and time.monotonic() < give_up:
            time.sleep(world.REACTION_S)
            complaint = complain()
        with self.told():
            self.test.assertIsNone(complaint)

    def shown_as_lost(self):
        instance = self.instance()
        return instance is not None and instance.vm_state == vm_states.ERROR

    # What is in the way

    def complaint(self):
        """Say what is still in between; None: all records agree."""
        self._resume_what_stands_still()
        instance = self.instance()
        if instance is None:
            return self.left() if self.deleted else 'deleted by nobody'
        if self.deleted == 'delete':
            self._delete_again(instance)
            return 'not deleted: %s' % _state(instance)
        if self.deleted is None and self._is_queued_for_delete():
            return 'queued for a delete that was refused'
        return (self._in_between(instance) or self._misplaced(instance.host)
                or self._wrong_state(instance))

    def _delete_again(self, instance):
        """Do as a user does whose delete failed in the middle.

        Upstream begins it once: a service that is away just then leaves ERROR
        or the task state behind, and an operator is told of a record that is
        damaged. Another delete that was never begun is a violation.
        """
        begun = (self.begun or self.forgot or
                 instance.task_state == task_states.DELETING or
                 instance.vm_state == vm_states.ERROR and not self.lost)
        over = not self.test.recorded(self.server) and {
            migration['status']
            for migration in self.test.migrations()} <= FINAL
        if not (begun and over):
            self.delete_failed_at = None
        elif self.delete_failed_at is None:
            self.delete_failed_at = time.monotonic()
        elif time.monotonic() - self.delete_failed_at > AGAIN_S:
            self.delete_failed_at = None
            # Not restorable, whatever was configured.
            self.test.request('POST', '/servers/%s/action' % self.server,
                              {'forceDelete': None})

    def _is_queued_for_delete(self):
        return objects.InstanceMapping.get_by_instance_uuid(
            context.get_admin_context(), self.server).queued_for_delete

    def _resume_what_stands_still(self):
        """Let a guest run again whose disk was full."""
        for domain in self.hosts.domains(self.server).values():
            if domain._state == fake.VIR_DOMAIN_PAUSED and (
                    domain.is_the_guest and domain.job is None):
                with self.hosts.lock:
                    domain.resume()

    def _in_between(self, instance):
        migrations = {migration['status']
                      for migration in self.test.migrations()}
        if instance.task_state is not None:
            return 'in between: %s' % _state(instance)
        if migrations - FINAL:
            return 'migrations in between: %s' % migrations
        if self.test.recorded(self.server):
            return 'the durable record is left'
        if self.phase() in world.ON_BOTH and self.phase() is not (
                guest.Phase.INTERRUPTED):
            return 'it is still moving'
        return None

    def _misplaced(self, host):
        """Say what of the server is not where Nova has it."""
        neutron = self.test.neutron
        for what, there, right in (
                ('allocations', self.test.allocated_on(self.server), {host}),
                *self._misplaced_volumes(host),
                *(('port %s bound' % port, bindings, {host: 'ACTIVE'})
                  for port, bindings
                  in neutron.bindings(self.server).items())):
            if there != right:
                return '%s: %s instead of %s' % (what, there, right)
        for migration in self.test.migrations():
            if self.test.allocated_on(migration['uuid']):
                return 'the migration has allocations'
        left = self.test.directories(self.server) - {host}
        if left and not (self.test.SHARED_INSTANCES_PATH or self.forgot or
                         self.lost or self.backup):
            return 'directories left on %s' % left
        return None

    def _misplaced_volumes(self, host):
        """Say what each volume is, and what it should be.

        The half that a lost server has left behind keeps its own, for good
        where nobody knows any more which they are.
        """
        cinder = self.test.cinder
        if self.lost or self.backup and self.forgot:
            return
        for volume in cinder.volumes_of(self.server):
            yield ('volume %s attached' % volume, cinder.attached(volume),
                   {host: 'attached'})
            yield ('volume %s connected' % volume,
                   cinder.san.connected(volume) - {host}, set())

    def _wrong_state(self, instance):
        """Say why the guest is not as Nova says."""
        host = instance.host
        domains = set(self.hosts.domains(self.server))
        running = self.hosts.running_on(self.server)
        if running - {host}:
            return '%s runs on %s' % (_state(instance), running)
        if self.lost:
            return None     # both halves may be kept, and it need not run
        if domains != {host}:
            return '%s is known on %s' % (_state(instance), domains)
        if self.reset and instance.vm_state == vm_states.ERROR:
            return None     # as was asked for
        if self.deleted == 'soft delete' and (
                instance.vm_state == vm_states.SOFT_DELETED or
                not self.forgot):
            wrong = (instance.vm_state != vm_states.SOFT_DELETED
                     or running)
        elif self.off or self.touched:
            wrong = instance.vm_state == vm_states.ERROR
        else:
            wrong = (instance.vm_state != vm_states.ACTIVE
                     or running != {host})
        return '%s runs on %s' % (_state(instance), running) if wrong else None

    def left(self):
        """Say what is left of a server that is deleted."""
        for what, there in (
                ('runs on', self.hosts.running_on(self.server)),
                ('volumes', not (self.leaks or self.backup and self.forgot) and
                 self.test.cinder.volumes_of(self.server)),
                ('allocated on', {
                    host for consumer in self.consumers
                    for host in self.test.allocated_on(consumer)}),
                ('images', self.test.images.of(self.server)),
                ('ports bound', {
                    port for port, bindings
                    in self.test.neutron.bindings(self.server).items()
                    if bindings}),
                ('record', self.test.recorded(self.server))):
            if there:
                return 'left: %s %s' % (what, there)
        if self.lost or self.forgot:
            return None
        for what, there in (
                ('domains', set(self.hosts.domains(self.server))),
                ('volumes connected to', not self.leaks and {
                    host for volume in self.volumes
                    for host in self.test.cinder.san.connected(volume)}),
                ('directories', not self.backup and
                 self.test.directories(self.server))):
            if there:
                return 'left: %s %s' % (what, there)
        return None


def _state(instance):
    return '%s, task state %s, on %s' % (
        instance.vm_state, instance.task_state, instance.host)
