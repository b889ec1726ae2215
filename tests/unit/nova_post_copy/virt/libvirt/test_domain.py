# SPDX-License-Identifier: Apache-2.0

from unittest import mock

from nova import exception
from nova import test
from nova.tests.unit import fake_instance

from lab.simulation import names
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.virt.libvirt import domain
from tests.unit.nova_post_copy.migration import scripted


class ConditionTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())


class TestInterpret(ConditionTestCase):

    def test_each_reason(self):
        for expected, state, reasons in (
                # VIR_DOMAIN_RUNNING_UNKNOWN to _WAKEUP
                (Condition.RUNNING, names.VIR_DOMAIN_RUNNING, range(9)),
                (Condition.POST_COPY, names.VIR_DOMAIN_RUNNING, [10]),
                (Condition.BROKEN, names.VIR_DOMAIN_RUNNING, [11]),
                (Condition.RUNNING, names.VIR_DOMAIN_BLOCKED, [0]),
                # VIR_DOMAIN_PAUSED_UNKNOWN, _USER
                (Condition.PAUSED, names.VIR_DOMAIN_PAUSED, [0, 1]),
                (Condition.MIGRATING, names.VIR_DOMAIN_PAUSED, [2]),
                # _SAVE, _DUMP, _IOERROR, _WATCHDOG to _CRASHED
                (Condition.PAUSED, names.VIR_DOMAIN_PAUSED, [3, 4]),
                (Condition.IO_ERROR, names.VIR_DOMAIN_PAUSED, [5]),
                (Condition.PAUSED, names.VIR_DOMAIN_PAUSED, range(6, 11)),
                (Condition.MIGRATING, names.VIR_DOMAIN_PAUSED, [11]),
                (Condition.POST_COPY, names.VIR_DOMAIN_PAUSED, [12]),
                (Condition.BROKEN, names.VIR_DOMAIN_PAUSED, [13]),
                (Condition.PAUSED, names.VIR_DOMAIN_PMSUSPENDED, [0]),
                (Condition.SHUTTING_DOWN, names.VIR_DOMAIN_SHUTDOWN, [0, 1]),
                # _UNKNOWN, _SHUTDOWN, _DESTROYED and _CRASHED
                (Condition.SHUTOFF, names.VIR_DOMAIN_SHUTOFF, [0]),
                (Condition.POWERED_OFF, names.VIR_DOMAIN_SHUTOFF, [1]),
                (Condition.SHUTOFF, names.VIR_DOMAIN_SHUTOFF, [2, 3]),
                (Condition.MIGRATED, names.VIR_DOMAIN_SHUTOFF, [4]),
                # _SAVED to _DAEMON
                (Condition.SHUTOFF, names.VIR_DOMAIN_SHUTOFF, range(5, 9)),
                # _PANICKED: on_crash is preserve, which Nova does not use
                (Condition.SHUTOFF, names.VIR_DOMAIN_CRASHED, [0, 1])):
            for reason in reasons:
                self.assertIs(expected, domain.interpret(state, reason),
                              (state, reason))


class TestAsk(ConditionTestCase):

    def setUp(self):
        super().setUp()
        self.source = scripted.Source(mock.Mock())
        self.instance = fake_instance.fake_instance_obj(None)

    def _ask(self, method=None, error=None):
        if method:
            self.source.errors[method].append(error)
        return domain.ask(self.source, self.instance)

    def test_asks_again_while_it_shuts_down(self):
        states = [scripted.SHUTTING_DOWN] * 3 + [scripted.MIGRATED]
        self.useFixture(test.fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.domain.time.sleep',
            lambda seconds: self.source.become(states.pop(0))))
        self.source.domain_state = scripted.SHUTTING_DOWN
        self.assertIs(Condition.MIGRATED, domain.ask_for_result(
            self.source, self.instance))
        self.assertEqual([], states)

    def test_does_not_ask_for_ever(self):
        self.useFixture(test.fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.domain.time.sleep',
            lambda seconds: None))
        self.source.domain_state = scripted.SHUTTING_DOWN
        self.assertIs(Condition.SHUTTING_DOWN, domain.ask_for_result(
            self.source, self.instance))

    def test_answer(self):
        self.source.domain_state = scripted.BROKEN
        self.assertIs(Condition.BROKEN, self._ask())

    def test_no_domain(self):
        self.assertIs(Condition.ABSENT, self._ask(
            'get_guest', exception.InstanceNotFound(instance_id='it')))

    def test_domain_goes_away_meanwhile(self):
        self.assertIs(Condition.ABSENT, self._ask(
            'state', scripted.no_domain()))

    def test_libvirt_does_not_answer(self):
        for method, error in (
                ('get_guest', exception.HypervisorUnavailable()),
                ('get_guest', exception.InternalError('libvirt')),
                ('state', names.connection_lost()),
                ('state', names.busy())):
            self.assertIs(Condition.UNKNOWN, self._ask(method, error))
