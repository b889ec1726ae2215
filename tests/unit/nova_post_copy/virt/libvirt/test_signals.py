# SPDX-License-Identifier: Apache-2.0

import threading
import time

import fixtures
from nova import exception
from nova import test
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation import names
from nova_post_copy.virt.libvirt import signals
from tests.unit.nova_post_copy.migration import scripted

ITERATION = names.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION
COMPLETED = names.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED

# Seconds: more than a wait takes that something ends, and enough to see
# that nothing has ended one.
LONG, SHORT = 20, 0.02


class Domain:
    def __init__(self, uuid):
        self.uuid = uuid

    def UUIDString(self):
        return self.uuid


class Connection:
    """A virConnect that tells what a test says."""

    def __init__(self):
        self.callbacks = []
        self.refuses = None     # an event that this libvirt does not know

    def domainEventRegisterAny(self, domain, event, callback, opaque):
        if event == self.refuses:
            raise names.invalid('event is not known')
        self.callbacks.append((event, callback, opaque))

    def tell(self, event, uuid, *what):
        for registered, callback, opaque in self.callbacks:
            if registered == event:
                callback(self, Domain(uuid), *what, opaque)


class Host:
    """Nova's Host; without a connection libvirt is away."""

    def __init__(self):
        self.connection = Connection()

    def get_connection(self):
        if self.connection is None:
            raise exception.HypervisorUnavailable()
        return self.connection


class SignalsTestCase(test.NoDBTestCase):

    def assert_woken(self, heard):
        began = time.monotonic()
        heard.wait(LONG)
        self.assertLess(time.monotonic() - began, LONG / 2)

    def assert_not_woken(self, heard):
        began = time.monotonic()
        heard.wait(SHORT)
        self.assertGreaterEqual(time.monotonic() - began, SHORT)


class TestSignals(SignalsTestCase):

    def setUp(self):
        super().setUp()
        self.listened = 0
        self.signals = signals.Signals(self._listen)

    def _listen(self):
        self.listened += 1

    def test_woken_before_it_waits(self):
        self.signals.wake()
        self.assert_woken(self.signals)
        # Once for all that has happened.
        self.assert_not_woken(self.signals)

    def test_woken_while_it_waits(self):
        timer = threading.Timer(SHORT, self.signals.wake)
        timer.start()
        self.addCleanup(timer.join)
        self.assert_woken(self.signals)

    def test_woken_by_the_end_of_an_operation(self):
        operation = scripted.Source(None).operation
        operation.add_done_callback(self.signals.wake)
        self.assert_not_woken(self.signals)
        operation.set_result(None)
        self.assert_woken(self.signals)

    def test_sees_to_it_that_events_come_when_none_do(self):
        self.signals.wake()
        self.signals.wait(LONG)
        self.assertEqual(0, self.listened)
        self.signals.wait(SHORT)
        self.assertEqual(1, self.listened)

    def test_boundaries_that_come_fast_are_looked_at_together(self):
        began = time.monotonic()
        for iteration in range(1, 6):
            self.signals.at_boundary(iteration)
            self.signals.wait(LONG)
        # The first at once, each of the others after a rest.
        passed = time.monotonic() - began
        self.assertGreaterEqual(passed, 4 * signals.BOUNDARY_REST_S)
        self.assertLess(passed, LONG)

    def test_what_is_urgent_does_not_wait_for_a_boundary(self):
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.signals.BOUNDARY_REST_S', LONG))
        self.signals.wake()
        self.signals.wait(LONG)
        self.signals.at_boundary(1)
        timer = threading.Timer(SHORT, self.signals.wake)
        timer.start()
        self.addCleanup(timer.join)
        self.assert_woken(self.signals)

    def test_since_boundary(self):
        clock = self.useFixture(scripted.Clock())
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.signals.time', clock))
        self.assertEqual(0, self.signals.since_boundary(1))
        clock.sleep(5)
        self.signals.at_boundary(1)
        clock.sleep(2)
        self.assertEqual(2, self.signals.since_boundary(1))
        # The event of the next one is late, or was lost.
        self.assertEqual(0, self.signals.since_boundary(2))
        self.signals.at_boundary(2)
        clock.sleep(1)
        self.assertEqual(1, self.signals.since_boundary(2))


class TestDispatcher(SignalsTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.host = Host()
        self.dispatcher = signals.Dispatcher(self.host)

    def test_boundary(self):
        heard = self.dispatcher.subscribe(uuids.guest)
        self.host.connection.tell(ITERATION, uuids.guest, 3)
        self.assert_woken(heard)
        self.assertGreater(heard.since_boundary(3), 0)
        self.assertEqual(0, heard.since_boundary(2))

    def test_completed(self):
        heard = self.dispatcher.subscribe(uuids.guest)
        self.assertIsNone(heard.completed)
        self.host.connection.tell(COMPLETED, uuids.guest, {
            'type': names.VIR_DOMAIN_JOB_COMPLETED,
            'time_elapsed': 5600, 'downtime': 48,
            'memory_postcopy_requests': 10423})
        self.assert_woken(heard)
        self.assertEqual((5.6, 0.048, 10423), (
            heard.completed.elapsed, heard.completed.downtime,
            heard.completed.page_requests))

    def test_each_hears_of_its_own_guest(self):
        heard = self.dispatcher.subscribe(uuids.guest)
        other = self.dispatcher.subscribe(uuids.other)
        for event, *what in ((ITERATION, 1), (COMPLETED, {})):
            self.host.connection.tell(event, uuids.guest, *what)
            self.host.connection.tell(event, uuids.stranger, *what)
            self.assert_woken(heard)
            self.assert_not_woken(other)
        self.assertIsNone(other.completed)

    def test_one_registration_serves_all(self):
        for uuid in (uuids.guest, uuids.other):
            self.dispatcher.subscribe(uuid).wait(0)
        self.assertEqual(
            sorted([ITERATION, COMPLETED]),
            sorted(event for event, *_ in self.host.connection.callbacks))

    def test_woken_by_others(self):
        heard = self.dispatcher.subscribe(uuids.guest)
        other = self.dispatcher.subscribe(uuids.other)
        self.dispatcher.wake(uuids.guest)
        self.assert_woken(heard)
        self.assert_not_woken(other)
        self.dispatcher.wake_all()
        self.assert_woken(heard)
        self.assert_woken(other)

    def test_nobody_waits_any_more(self):
        heard = self.dispatcher.subscribe(uuids.guest)
        self.dispatcher.unsubscribe(uuids.guest)
        self.dispatcher.unsubscribe(uuids.guest)
        self.host.connection.tell(ITERATION, uuids.guest, 1)
        self.host.connection.tell(COMPLETED, uuids.guest, {})
        self.dispatcher.wake(uuids.guest)
        self.dispatcher.wake_all()
        self.assert_not_woken(heard)
        self.assertIsNone(heard.completed)

    def test_libvirt_is_restarted(self):
        heard = self.dispatcher.subscribe(uuids.guest)
        self.host.connection = None
        heard.wait(0)
        self.host.connection = Connection()
        self.host.connection.tell(ITERATION, uuids.guest, 1)
        # By then whoever waits for an event looks by itself.
        self.assert_not_woken(heard)
        self.host.connection.tell(ITERATION, uuids.guest, 2)
        self.assert_woken(heard)
        self.assertEqual(2, len(self.host.connection.callbacks))

    def test_libvirt_is_away_at_first(self):
        connection, self.host.connection = self.host.connection, None
        heard = self.dispatcher.subscribe(uuids.guest)
        self.host.connection = connection
        heard.wait(0)
        connection.tell(ITERATION, uuids.guest, 1)
        self.assert_woken(heard)

    def test_libvirt_does_not_know_an_event(self):
        self.host.connection.refuses = COMPLETED
        heard = self.dispatcher.subscribe(uuids.guest)
        heard.wait(0)
        # It is asked once, and tells what it can.
        self.assertEqual(1, len(self.host.connection.callbacks))
        self.host.connection.tell(ITERATION, uuids.guest, 1)
        self.assert_woken(heard)
