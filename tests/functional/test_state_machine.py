# SPDX-License-Identifier: Apache-2.0

"""Events in any order: whatever happens, one copy is kept, and only one.

Hypothesis draws what happens to a server on its way: to the network, to each
service and QEMU, and what users ask for. It happens to a whole Nova, as in the
other functional tests, and not to single classes: what is dangerous is what
several of them do at once. So that this is fast enough, all examples share one
cloud, each with a server of its own. Nova's threads run freely, so an example
need not fail each time; each failure is a true one.

The same examples are drawn each time; HYPOTHESIS_EXAMPLES=500 draws that many
others.
"""

import os
import time

import fixtures
import hypothesis
from hypothesis import stateful
from hypothesis import strategies as st

from lab.simulation import guest
from tests import EXAMPLES
from tests.functional import base

HOSTS = st.sampled_from(['src', 'dest'])
MOMENTS = st.sampled_from([
    guest.Happening.ITERATION, guest.Happening.SWITCHED,
    guest.Happening.RESUMED, guest.Happening.INTERRUPTED,
    guest.Happening.COMPLETED])

# Real seconds in which Nova may react, and which a moment is waited for.
REACTION = 0.1
PATIENCE = 1.0
QUIET = 40.0

#: The phases in which the memory is on both hosts.
ON_BOTH = (guest.Phase.SWITCH_OVER, guest.Phase.POST_COPY,
           guest.Phase.INTERRUPTED)


class Events(stateful.RuleBasedStateMachine):
    def __init__(self, test: 'TestAnyOrder') -> None:
        super().__init__()
        self.test = test
        self.hosts = test.hosts
        self.deleted = self.decided = self.rebooted = self.broken = False
        self.withdrawn = False

    # Time stands still between two events, but not for Nova.

    @stateful.initialize(moment=MOMENTS)
    def begin(self, moment):
        self.test.new_server()
        self.server = self.test.server['id']
        self.first_move = len(self.hosts.moves)
        self.ask('POST', '/action', self.test.body(True))
        self.until(moment)

    @stateful.rule(moment=MOMENTS)
    def until(self, moment):
        self.hosts.stop_at = {moment}
        self.hosts.clock.go_on()
        give_up = time.monotonic() + PATIENCE
        while not self.hosts.clock.stopped and time.monotonic() < give_up:
            time.sleep(0.01)
        self.hosts.stop_at = set()
        self.hosts.clock.stop()

    # The network

    @stateful.rule()
    def cut(self):
        self.hosts.cut()
        self.react()

    @stateful.precondition(lambda self: self.hosts.is_cut)
    @stateful.rule()
    def heal(self):
        self.hosts.heal()
        self.react()

    @stateful.rule()
    def break_streams(self):
        # Where the devices are under way this costs the destination's QEMU.
        self.broken |= self.phase() is guest.Phase.SWITCH_OVER
        self.hosts.break_streams()
        self.react()

    # Services and QEMU

    @stateful.rule(host=HOSTS)
    def end_nova_compute(self, host):
        if host in self.test.computes:
            self.test.kill_compute(host)
            self.react()

    @stateful.rule(host=HOSTS)
    def start_nova_compute(self, host):
        self.test.restart_compute(host)
        self.react()

    @stateful.rule(host=HOSTS)
    def restart_libvirtd(self, host):
        self.hosts.daemons[host].restart()
        self.react()

    # Whether it is broken depends on the moment: no precondition for
    # Hypothesis, which takes it that events can be repeated.
    @stateful.rule(host=HOSTS)
    def kill_qemu(self, host):
        if self.is_active(host) and not self.broken:
            # The half of a guest, or all of it: not so an incoming one.
            self.broken |= host == 'src' or self.phase() in (None, *ON_BOTH)
            self.hosts.kill_qemu(host, self.server)
            self.react()

    # Users

    @stateful.rule()
    def abort(self):
        for migration in self.test.migrations():
            self.ask('DELETE', '/migrations/%s' % migration['id'])

    @stateful.rule()
    def force_complete(self):
        for migration in self.test.migrations():
            self.ask('POST', '/migrations/%s/action' % migration['id'],
                     {'force_complete': None})

    @stateful.rule()
    def migrate_again(self):
        self.ask('POST', '/action', self.test.body(True))

    @stateful.rule()
    def reboot(self):
        # Before the switch it ends the QEMU of a state that was reset.
        self.rebooted = True
        self.ask('POST', '/action', {'reboot': {'type': 'HARD'}})

    @stateful.rule()
    def reset_state(self):
        self.decided = True
        # What then becomes of a delete that is not done is upstream's affair.
        self.withdrawn |= self.deleted
        self.ask('POST', '/action', {'os-resetState': {'state': 'active'}})

    @stateful.precondition(lambda self: not self.deleted)
    @stateful.rule()
    def delete(self):
        self.deleted = True
        self.ask('DELETE', '')

    # What must hold all the time

    @stateful.invariant()
    def at_most_one_copy_runs(self):
        self.test.assertEqual([], self.hosts.ran_twice(self.server_id()))

    @stateful.invariant()
    def nothing_is_destroyed_that_could_be_kept(self):
        if not self.deleted:
            allowed = {None}
            if self.decided and self.rebooted:
                allowed |= guest.ON_SOURCE
            self.test.assertEqual([], [
                destroyed for destroyed in self.hosts.destroyed
                if destroyed.server == self.server_id()
                and destroyed.phase not in allowed])

    @stateful.invariant()
    def its_disk_is_there(self):
        if not self.deleted and self.server_id():
            self.test.assertTrue(os.path.exists(
                self.test.disk(self.server)))

    # What must hold in the end

    def teardown(self):
        if not self.server_id():
            return
        self.hosts.heal()
        self.hosts.clock.go_on()
        for host in ('src', 'dest'):
            if host not in self.test.computes:
                self.test.restart_compute(host)
        complaint = 'not looked at'
        give_up = time.monotonic() + QUIET
        while complaint and time.monotonic() < give_up:
            time.sleep(REACTION)
            complaint = self.complaint()
        self.test.assertIsNone(complaint)
        self.at_most_one_copy_runs()
        self.nothing_is_destroyed_that_could_be_kept()
        self.its_disk_is_there()
        self.test.forget_server()

    def complaint(self):
        """Say what is still in between; None: all records agree."""
        response = self.test.api.api_get(
            '/servers/' + self.server, check_response_status=None)
        domains = set(self.hosts.domains(self.server))
        running = self.hosts.running_on(self.server)
        if response.status == 404:
            # Of a guest that was lost the source keeps its half.
            left = running if self.decided or self.broken else domains
            return 'left: %s' % left if left else None
        server = response.body['server']
        host = server['OS-EXT-SRV-ATTR:host']
        said = (server['status'], server['OS-EXT-STS:task_state'], host)
        migrations = {migration['status']
                      for migration in self.test.migrations()}
        if self.deleted and not self.withdrawn:
            return 'not deleted: %s' % (said,)
        if server['OS-EXT-STS:task_state'] is not None:
            return 'in between: %s' % (said,)
        if migrations - {'completed', 'cancelled', 'error', 'failed'}:
            return 'migrations in between: %s' % migrations
        if self.test.recorded(self.server):
            return 'the durable record is left'
        if self.test.allocated_on(self.server) != {host}:
            return 'allocations: %s' % self.test.allocated_on(self.server)
        if self.phase() in ON_BOTH and self.phase() is not (
                guest.Phase.INTERRUPTED):
            return 'it is still moving'
        if self.decided or self.broken:
            # Both halves may be kept, and it need not run.
            return None if running <= {host} else '%s runs on %s' % (
                said, running)
        if (running, domains) != ({host}, {host}):
            return '%s runs on %s, is known on %s' % (said, running, domains)
        if server['status'] != 'ACTIVE':
            return 'an error without a reason: %s' % (said,)
        return None

    # How it is

    def server_id(self):
        return getattr(self, 'server', None)

    def phase(self):
        """Return the phase of the migration that is under way."""
        moves = self.hosts.moves[self.first_move:]
        phase = moves[-1].migration.phase if moves else None
        return None if phase in guest.ENDED else phase

    def is_active(self, host):
        domain = self.hosts.domains(self.server).get(host)
        return domain is not None and domain.isActive()

    def react(self):
        time.sleep(REACTION)

    def ask(self, method, path, body=None):
        status, message = self.test.request(
            method, '/servers/' + self.server + path, body)
        self.test.assertLess(status, 500, message)
        self.react()


class TestAnyOrder(base.BreakingHosts):
    SPEED = 8.0
    WAITS = base.BreakingHosts.WAITS | {
        'decisions.recovery.STALLED_AFTER_S': 1.0}

    def setUp(self):
        super().setUp()
        self.flags(rpc_response_timeout=1)
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.LibvirtDriver._create_image',
            self._create_disk))
        self.addCleanup(self.hosts.clock.go_on)
        self.forget_server()

    def test_any_order(self):
        stateful.run_state_machine_as_test(
            lambda: Events(self), settings=hypothesis.settings(
                max_examples=int(EXAMPLES or 8), stateful_step_count=10,
                phases=[hypothesis.Phase.generate],
                suppress_health_check=list(hypothesis.HealthCheck)))

    def new_server(self):
        self.hosts.clock.go_on()
        self.server = self._create_server(host='src', networks='none')
        self.make_busy()

    def forget_server(self):
        path = '/servers/' + self.server['id']
        self.request('DELETE', path)
        self.wait_for('deleted', lambda: (
            self.request('GET', path)[0] == 404), timeout=QUIET)

    def _wait_for_state_change(self, server, expected_status, **kwargs):
        # How long what is not looked at here takes, does not matter.
        return super()._wait_for_state_change(
            server, expected_status, max_retries=int(QUIET / 0.5), **kwargs)

    def disk(self, server):
        return os.path.join(base.CONF.instances_path, server, 'disk')

    def _create_disk(self, context, instance, *args, **kwargs):
        disk = self.disk(instance.uuid)
        os.makedirs(os.path.dirname(disk), exist_ok=True)
        with open(disk, 'w'):
            return False, False

    def recorded(self, server):
        return any(self.inside(host, base.record.exists, server)
                   for host in self.processes)
