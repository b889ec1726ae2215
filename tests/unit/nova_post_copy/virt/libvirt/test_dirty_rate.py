# SPDX-License-Identifier: Apache-2.0

import hypothesis
from hypothesis import strategies
from nova import exception
from nova import test
from nova.tests.unit import fake_instance
from nova.virt.libvirt import guest as libvirt_guest
from oslo_utils import units

from lab.simulation import names
from nova_post_copy.virt.libvirt import dirty_rate
from tests.unit.nova_post_copy.migration import scripted

MEASURED = {'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURED,
            'dirtyrate.calc_period': 4,
            'dirtyrate.megabytes_per_second': 100}


class TestSeconds(test.NoDBTestCase):

    def test_a_quarter_of_the_pass(self):
        self.assertEqual(
            16, dirty_rate.seconds(64 * units.Gi, 1 * units.Gi))

    def test_where_nothing_limits_the_bandwidth(self):
        # 25 s and a half at 10 Gb/s.
        self.assertEqual(7, dirty_rate.seconds(32e9, 0))

    @hypothesis.given(strategies.integers(0, 1 << 50),
                      strategies.integers(0, 1 << 40))
    def test_is_what_libvirt_accepts(self, memory, bandwidth):
        self.assertIn(dirty_rate.seconds(memory, bandwidth), range(1, 61))


class DirtyRateTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.source = scripted.Source(None)
        self.instance = fake_instance.fake_instance_obj(None)


class TestBegin(DirtyRateTestCase):

    def test_pages_are_sampled(self):
        # QEMU 7.2 ends a guest without KVM that is measured otherwise.
        dirty_rate.begin(libvirt_guest.Guest(self.source), 4)
        self.assertEqual(
            [('startDirtyRateCalc', 4,
              names.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING)],
            self.source.asked)

    def test_not_possible(self):
        self.source.errors['startDirtyRateCalc'].append(names.busy())
        dirty_rate.begin(libvirt_guest.Guest(self.source), 4)
        self.assertEqual([], self.source.asked)


class TestLook(DirtyRateTestCase):

    def look(self, **stats):
        self.source.dirty_rate = stats
        return dirty_rate.look(self.source, self.instance)

    def test_measured(self):
        goes_on, result = self.look(**MEASURED)
        self.assertFalse(goes_on)
        self.assertEqual((4, 400 * units.Mi), result)

    def test_goes_on(self):
        self.assertEqual((True, None), self.look(**{
            'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURING}))

    def test_never_begun(self):
        self.assertEqual((False, None), self.look(**{
            'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_UNSTARTED}))

    def test_libvirt_has_no_time_to_ask_qemu(self):
        # It leaves out what it does not know.
        self.assertEqual((False, None), self.look())

    def test_guest_has_gone(self):
        self.source.domainListGetStats = lambda domains, stats: []
        self.assertEqual((False, None), self.look(**MEASURED))

    def test_libvirt_does_not_answer(self):
        for name, error in (
                ('get_guest', exception.HypervisorUnavailable()),
                ('get_guest', exception.InstanceNotFound(instance_id='x')),
                ('get_connection', exception.HypervisorUnavailable()),
                ('domainListGetStats', names.connection_lost())):
            self.source.errors[name].append(error)
            self.assertEqual((False, None), self.look(**MEASURED))
