# SPDX-License-Identifier: Apache-2.0

"""What a simulated guest does by itself, at any time of its migration."""

from nova.tests.fixtures import libvirt as fake
from oslo_utils.fixture import uuidsentinel as uuids

from lab.simulation.domain_object import DomainObject
from lab.simulation import guest
from lab.simulation import names
from tests.unit.lab.simulation import test_faults as base

POWERED_OFF = [fake.VIR_DOMAIN_SHUTOFF, names.VIR_DOMAIN_SHUTOFF_SHUTDOWN]
IO_ERROR = [fake.VIR_DOMAIN_PAUSED, names.VIR_DOMAIN_PAUSED_IOERROR]


class TestActs(base.TestCase):
    def let(self, act):
        self.cloud.let_guest(uuids.server, act)

    def finish(self):
        self.go_on()
        self.end()

    def test_power_off_at_rest(self):
        self.let(DomainObject.power_off)
        self.assertEqual(POWERED_OFF, self.domain.state())
        self.assertRaises(RuntimeError, self.let, DomainObject.power_off)

    def test_power_off_in_pre_copy(self):
        self.begin_pre_copy()
        self.let(DomainObject.power_off)
        self.finish()
        self.assertEqual(POWERED_OFF, self.domain.state())
        self.assertEqual({'src'}, set(self.cloud.domains(uuids.server)))
        self.assertIsNotNone(self.error)

    def test_power_off_in_post_copy(self):
        self.switch()
        self.let(DomainObject.power_off)
        self.finish()
        self.assertEqual(base.BROKEN, self.domain.state())
        self.assertEqual(POWERED_OFF, self.on_target().state())

    def test_restart_in_post_copy(self):
        self.switch()
        self.let(DomainObject.restart_guest)
        self.finish()
        self.assertIsNone(self.error)
        self.assertEqual(base.ARRIVED, self.on_target().state())

    def test_io_error_in_post_copy(self):
        self.switch()
        self.let(DomainObject.stand_still)
        self.finish()
        self.assertIsNone(self.error)
        self.assertEqual(IO_ERROR, self.on_target().state())
        self.on_target().resume()
        self.assertEqual({'dest'}, self.cloud.running_on(uuids.server))

    def test_io_error_while_it_is_interrupted(self):
        self.switch()
        self.let(DomainObject.stand_still)
        self.cloud.break_streams()
        self.finish()
        self.assertEqual(IO_ERROR, self.on_target().state())
        self.assertEqual(base.BROKEN, self.domain.state())
        self.resume()
        self.end()
        self.assertEqual(IO_ERROR, self.on_target().state())
        self.assertEqual(guest.Phase.COMPLETED,
                         self.cloud.moves[-1].migration.phase)
