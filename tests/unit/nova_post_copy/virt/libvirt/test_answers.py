# SPDX-License-Identifier: Apache-2.0

from unittest import mock

import fixtures
from nova import objects
from nova.virt.libvirt import guest as libvirt_guest

from lab.simulation import names
from tests.unit.nova_post_copy.migration import scripted
from tests.unit.nova_post_copy.virt.libvirt import test_driver


class TestSourceRefusals(test_driver.DriverTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.source = scripted.Source(None)
        self.driver._host = mock.Mock()
        self.driver._host.get_guest.return_value = libvirt_guest.Guest(
            self.source)
        self.driver._host.has_min_version.return_value = True
        self.instance.flavor = objects.Flavor(memory_mb=16 << 10)
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.threads.spawn',
            lambda function, *args: function(*args)))

    def test_refused_guest_is_not_measured(self):
        self.source.xml = '<domain><devices><hostdev/></devices></domain>'
        self.assertEqual(
            1, len(self.driver.post_copy_source_refusals(self.instance)))
        self.assertEqual([], self.source.asked)

    def test_others_are_measured_from_now_on(self):
        self.flags(live_migration_bandwidth=256, group='libvirt')
        self.assertEqual(
            [], self.driver.post_copy_source_refusals(self.instance))
        # A quarter of the 64 s of a pass.
        self.assertEqual(
            [('startDirtyRateCalc', 16,
              names.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING)],
            self.source.asked)

    def test_what_cannot_be_measured_is_not_refused(self):
        self.source.errors['startDirtyRateCalc'].append(
            scripted.libvirt_error('measured already'))
        self.assertEqual(
            [], self.driver.post_copy_source_refusals(self.instance))


class TestHost(test_driver.DriverTestCase):

    def test_says_at_start_what_limits_recovery(self):
        log = self.useFixture(fixtures.FakeLogger())
        self.useFixture(fixtures.MonkeyPatch(
            'nova.virt.libvirt.driver.LibvirtDriver.init_host',
            lambda driver, host: None))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.recovery_limits.find',
            lambda: ['Sees nothing.']))
        self.driver.init_host('host-a')
        self.assertIn('is limited: Sees nothing.', log.output)
        self.assertEqual(['Sees nothing.'],
                         self.driver.post_copy_recovery_limits())


class TestGuests(test_driver.DriverTestCase):
    """What this host is asked by others."""

    def setUp(self):
        super().setUp()
        self.host = scripted.Source(None)
        # A new one, with no defect.
        self.host.has_min_version = lambda *args, **kwargs: True
        self.driver._host = self.host
        self.useFixture(scripted.Names())

    def test_broken_stream_of_a_guest_that_comes_in(self):
        broken = []
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.incoming.break_dead',
            lambda *args: broken.append(args) or 1))
        self.host.list_guests = lambda: []
        for state in (scripted.MIGRATING, scripted.RUNNING,
                      scripted.CRASHED):
            self.host.domain_state = state
            self.driver.break_incoming_stream(self.instance)
            self.assertEqual([], broken, state)
        for state in (scripted.POST_COPY, scripted.BROKEN):
            self.host.domain_state = state
            self.assertEqual(
                1, self.driver.break_incoming_stream(self.instance))
        self.assertEqual([(self.instance.uuid, None, [])] * 2, broken)

    def test_stream_is_left_alone_where_libvirt_would_crash(self):
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.incoming.break_dead',
            lambda *args: self.fail('broken')))
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.capability.resume_refusal',
            lambda host: 'it crashes'))
        self.host.domain_state = scripted.POST_COPY
        self.assertEqual(0, self.driver.break_incoming_stream(self.instance))

    def _guests(self, **states):
        guests = {}
        for uuid, state in states.items():
            guests[uuid] = scripted.Source(None)
            guests[uuid].domain_state = state
        self.host.list_guests = lambda: [
            mock.Mock(uuid=uuid, _domain=domain)
            for uuid, domain in guests.items()]

    def test_other_guests_that_have_a_stream(self):
        self.useFixture(fixtures.MonkeyPatch(
            'nova_post_copy.virt.libvirt.incoming.break_dead',
            lambda *args: args))
        self.host.domain_state = scripted.BROKEN
        self._guests(**{self.instance.uuid: scripted.BROKEN},
                     a=scripted.BROKEN, b=scripted.RUNNING,
                     c=scripted.POST_COPY, d=scripted.MIGRATING,
                     e=scripted.CRASHED)
        self.assertEqual(
            (self.instance.uuid, ['192.0.2.1'], ['a', 'c', 'd']),
            self.driver.break_incoming_stream(self.instance, ['192.0.2.1']))

    def test_broken_guests(self):
        self._guests(a=scripted.BROKEN, b=scripted.RUNNING,
                     c=scripted.POST_COPY)
        self.assertEqual(['a'], self.driver.post_copy_broken_guests())
