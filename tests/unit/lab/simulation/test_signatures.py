# SPDX-License-Identifier: Apache-2.0

"""Each fake of libvirt and Nova takes what the real one takes."""

from nova.virt.libvirt import guest
from nova.virt.libvirt import host
import testtools

from lab.simulation import domain_object
from lab.simulation import libvirt
from lab.simulation import libvirtd
from lab.simulation import signatures
from lab.switching import libvirt_view
from tests.unit.nova_post_copy.migration import scripted


class Real:
    def state(self, flags: int = 0) -> list:
        pass

    def lookup(self, uuid):
        pass

    def _connect(self, uri, read_only):
        pass


class TestDifferences(testtools.TestCase):
    def differences(self, fake, own=()):
        return signatures.differences(fake, signatures.of(Real), own=own)

    def test_none(self):
        class Fake:
            def __init__(self, anything):
                pass

            def state(self, flags=0):
                pass

            def lookup(self, uuid: str) -> None:
                pass

            def happen(self):
                pass

            def _ask(self, what):
                pass

        self.assertEqual([], self.differences(Fake, own={'happen'}))

    def test_parameters(self):
        class Fake:
            def state(self):
                pass

            def lookup(self, name):
                pass

            def _connect(self, uri, read_only=True):
                pass

        self.assertEqual(
            ['Fake.state takes (), the real one (flags=0)',
             'Fake.lookup takes (name), the real one (uuid)',
             'Fake._connect takes (uri, read_only=True), the real one '
             '(uri, read_only)'], self.differences(Fake))

    def test_a_name_that_nothing_real_has(self):
        class Fake:
            def stat(self, flags=0):
                pass

        self.assertEqual(['Fake.stat stands for nothing real'],
                         self.differences(Fake))

    def test_an_own_name_that_the_real_one_has(self):
        class Fake:
            def state(self, value):
                pass

        self.assertEqual(
            ['Fake.state is not the own method of the fake: the real one '
             'takes (flags=0)'], self.differences(Fake, own={'state'}))

    def test_an_own_name_that_is_gone(self):
        class Fake:
            pass

        self.assertEqual(['Fake has no method happen of its own'],
                         self.differences(Fake, own={'happen'}))

    def test_any_of_several(self):
        class Other:
            def state(self):
                pass

        class Fake:
            def state(self):
                pass

        self.assertEqual([], signatures.differences(
            Fake, signatures.of(Real), signatures.of(Other)))


class TestFakes(testtools.TestCase):
    """Those of the bench and of the lab's tests need libvirt-python."""

    def test_simulated_connection(self):
        self.assertEqual([], signatures.differences(
            libvirt.Connection, signatures.VIR_CONNECT,
            own={'kill', 'check', 'call', 'wait'}))

    def test_simulated_domain(self):
        self.assertEqual([], signatures.differences(
            libvirt.Domain, signatures.VIR_DOMAIN))

    def test_simulated_libvirtd(self):
        self.assertEqual([], signatures.differences(
            libvirtd.Libvirtd, signatures.VIR_CONNECT,
            own={'restart', 'receive', 'stop', 'domain_named', 'peer',
                 'listen', 'unlisten', 'emit', 'wait_for_delivery',
                 'stop_events'}))

    def test_simulated_domain_of_libvirtd(self):
        self.assertEqual([], signatures.differences(
            domain_object.DomainObject, signatures.VIR_DOMAIN,
            own={'become', 'check_disks', 'crash', 'dirty_rate', 'power_off',
                 'restart_guest', 'stand_still'}))

    def test_switching(self):
        self.assertEqual([], signatures.differences(
            libvirt_view.Host, signatures.of(host.Host),
            signatures.of(guest.Guest), signatures.VIR_CONNECT,
            signatures.VIR_DOMAIN))

    def test_scripted_source(self):
        self.assertEqual([], signatures.differences(
            scripted.Source, signatures.of(host.Host),
            signatures.VIR_CONNECT, signatures.VIR_DOMAIN,
            own={'at', 'become', 'ends', 'count'}))
