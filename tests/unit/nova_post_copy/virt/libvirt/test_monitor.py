# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

import collections
from unittest import mock

import fixtures
import futurist
from nova import objects
from nova import test
from nova.tests.fixtures import libvirt as fakelibvirt
from nova.tests.unit import fake_instance
from nova.virt.libvirt import guest as libvirt_guest
import oslo_messaging as messaging

from nova_post_copy.virt.libvirt import monitor

MIB = 1 << 20
UNBOUNDED = fakelibvirt.VIR_DOMAIN_JOB_UNBOUNDED
NONE = fakelibvirt.VIR_DOMAIN_JOB_NONE
PAUSED = (fakelibvirt.VIR_DOMAIN_PAUSED, 12)
RUNNING = (fakelibvirt.VIR_DOMAIN_RUNNING, 1)
# The fake does not have this one: libvirt's VIR_ERR_OPERATION_ABORTED.
ABORTED = 78


def libvirt_error(code=fakelibvirt.VIR_ERR_OPERATION_FAILED, words='broken'):
    return fakelibvirt.make_libvirtError(
        fakelibvirt.libvirtError, words, error_code=code)


def running(iteration=1, remaining=400 * MIB):
    return libvirt_guest.JobInfo(
        type=UNBOUNDED, memory_iteration=iteration, memory_total=512 * MIB,
        memory_remaining=remaining, memory_bps=200 * MIB)


class Guest:
    """A guest on the source, whose job goes through given steps.

    A step is what :meth:`get_job_info` returns or raises, or a function that
    is called first. With the last one the operation ends.
    """

    def __init__(self, steps, error=None):
        self.steps = collections.deque(steps)
        self.error = error
        self.operation = futurist.Future()
        self.calls = []
        self.start_errors = collections.deque()
        self.states = collections.deque()   # of the domain, after the end
        self.active = error is not None
        self._domain = self

    def get_job_info(self):
        step = self.steps.popleft()
        if callable(step):
            step = step()
        if not self.steps:
            self.operation.set_result(self.error)
        if isinstance(step, Exception):
            raise step
        return step

    def migrate_configure_max_downtime(self, milliseconds):
        self.calls.append(('downtime', milliseconds))

    def migrate_start_postcopy(self):
        if self.start_errors:
            raise self.start_errors.popleft()
        self.calls.append('switch')

    def is_active(self):
        return self.active

    def state(self):
        state = self.states.popleft()
        if state is None:
            self.active = False
            return PAUSED
        return state


class TestMonitor(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        for module in ('nova_post_copy.virt.libvirt.monitor',
                       'nova.virt.libvirt.migration',
                       'nova.virt.libvirt.guest'):
            self.useFixture(fixtures.MonkeyPatch(
                module + '.libvirt', fakelibvirt))
        self.useFixture(fixtures.MonkeyPatch(
            'nova.tests.fixtures.libvirt.VIR_ERR_OPERATION_ABORTED', ABORTED))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.monitor.POLL_INTERVAL', 0))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.monitor.SAVE_INTERVAL', 0))
        self.history = []       # status, each time that it was saved
        self.save_errors = collections.deque()
        self.migration = objects.Migration(status='running')
        self.instance = fake_instance.fake_instance_obj(None)
        self.instance.flavor = objects.Flavor(memory_mb=512)
        self.useFixture(fixtures.MonkeyPatch(
            'nova.objects.Migration.save', self._save))
        self.useFixture(fixtures.MockPatch('nova.objects.Instance.save'))
        self.interrupted = []

    def _save(self, migration):
        if self.save_errors:
            raise self.save_errors.popleft()
        if self.history[-1:] != [migration.status]:
            self.history.append(migration.status)

    def _monitor(self, guest, can_switch=True, requests=()):
        return monitor.Monitor(
            guest, self.instance, self.migration, guest.operation,
            collections.deque(requests), can_switch,
            self.interrupted.append)

    def _watch(self, guest, *args, **kwargs):
        return self._monitor(guest, *args, **kwargs).watch()

    def test_busy_guest_switches_after_the_first_pass(self):
        guest = Guest([libvirt_guest.JobInfo(type=NONE), running(1),
                       running(1), running(2), running(2)])
        result = self._watch(guest)
        self.assertEqual((monitor.End.COMPLETED, None), result)
        self.assertEqual([('downtime', 500), 'switch'], guest.calls)
        self.assertEqual(['running', 'running (post-copy)'], self.history)

    def test_idle_guest_does_not_switch(self):
        guest = Guest([running(1), running(2, MIB), running(3, 0)])
        self.assertIs(monitor.End.COMPLETED, self._watch(guest).end)
        self.assertNotIn('switch', guest.calls)
        self.assertEqual(['running'], self.history)

    def test_paused_guest_does_not_switch(self):
        guest = Guest([running(1), running(2)])
        self._watch(guest, can_switch=False, requests=['force-complete'])
        self.assertNotIn('switch', guest.calls)

    def test_user_asks_for_the_switch(self):
        guest = Guest([running(1), running(1)])
        self._watch(guest, requests=['force-complete'])
        self.assertIn('switch', guest.calls)

    def test_no_switch_while_disks_are_copied(self):
        guest = Guest([running(0, 0), running(0, 0)])
        self._watch(guest, requests=['force-complete'])
        self.assertNotIn('switch', guest.calls)
        self.assertEqual(['running'], self.history)

    def test_status_is_saved_before_the_switch(self):
        guest = Guest([running(2)])
        seen = []
        guest.migrate_start_postcopy = lambda: seen.append(
            list(self.history))
        self._watch(guest)
        self.assertEqual([['running', 'running (post-copy)']], seen)

    def test_switch_before_qemu_is_ready_is_tried_again(self):
        guest = Guest([running(2), running(2), running(2)])
        guest.start_errors.append(libvirt_error())
        self._watch(guest)
        self.assertIn('switch', guest.calls)
        self.assertEqual(['running', 'running (post-copy)', 'running',
                          'running (post-copy)'], self.history)

    def test_no_switch_without_its_status(self):
        guest = Guest([running(2)])
        # First the progress, then the status.
        self.save_errors.extend([messaging.MessagingTimeout()] * 2)
        self.assertIs(monitor.End.COMPLETED, self._watch(guest).end)
        self.assertNotIn('switch', guest.calls)

    def test_busy_libvirt_is_no_end(self):
        guest = Guest([libvirt_error(), running(2), running(2)])
        self.assertIs(monitor.End.COMPLETED, self._watch(guest).end)
        self.assertIn('switch', guest.calls)

    def test_abort_before_the_switch(self):
        error = libvirt_error(ABORTED)
        result = self._watch(Guest([running(1)], error))
        self.assertEqual((monitor.End.CANCELLED, error), result)

    def test_abort_that_libvirt_calls_a_failure(self):
        error = libvirt_error(words='Unable to write to socket: Broken pipe')
        guest = Guest([running(1), running(2)], error)
        watching = self._monitor(guest)
        watching.abort_requested = True
        self.assertEqual((monitor.End.CANCELLED, error), watching.watch())
        self.assertNotIn('switch', guest.calls)

    def test_failure_before_the_switch(self):
        error = libvirt_error()
        result = self._watch(Guest([running(1)], error))
        self.assertEqual((monitor.End.FAILED, error), result)

    def test_failure_outside_of_libvirt(self):
        error = ValueError('no such volume')
        result = self._watch(Guest([running(1)], error))
        self.assertEqual((monitor.End.FAILED, error), result)

    def test_error_although_the_guest_has_left(self):
        guest = Guest([running(1)], libvirt_error())
        guest.active = False
        self.assertEqual((monitor.End.COMPLETED, None), self._watch(guest))

    def test_interrupted_after_the_switch_is_no_failure(self):
        error = libvirt_error(ABORTED)
        guest = Guest([running(2), running(2)], error)
        # Suspended, still suspended, then resumed by an operator and gone.
        guest.states.extend([PAUSED, PAUSED, None])
        self.assertEqual((monitor.End.COMPLETED, None), self._watch(guest))
        self.assertEqual([error], self.interrupted)

    def test_libvirt_away_after_the_switch(self):
        error = libvirt_error(fakelibvirt.VIR_ERR_SYSTEM_ERROR)
        guest = Guest([running(2), running(2)], error)
        guest.state = mock.Mock(side_effect=[error, error, RUNNING])
        # It had not got to the switch: the guest goes on on the source.
        self.assertEqual((monitor.End.FAILED, error), self._watch(guest))
        self.assertEqual([error], self.interrupted)
