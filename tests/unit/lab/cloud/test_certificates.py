# SPDX-License-Identifier: Apache-2.0

import ipaddress
import pathlib

from cryptography import x509
from cryptography.x509 import verification
import fixtures
from lab.cloud import certificates
from lab import layout
import testtools

NAMES = [
    x509.DNSName(layout.HOSTS[0].name),
    *(x509.IPAddress(ipaddress.ip_address(address)) for address in (
        layout.HOSTS[0].management, layout.HOSTS[0].migration,
        layout.HOSTS[0].recovery)),
]


class CertificatesTest(testtools.TestCase):

    def setUp(self) -> None:
        super().setUp()
        self.state = pathlib.Path(
            self.useFixture(fixtures.TempDir()).path)
        self.useFixture(
            fixtures.MonkeyPatch('lab.layout.STATE', self.state))

    def _read(self, host: layout.HostLayout, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate(
            (host.directory / 'etc-pki' / name).read_bytes())

    def _verify(self, authority: x509.Certificate,
                certificate: x509.Certificate, name) -> None:
        verification.PolicyBuilder().store(
            verification.Store([authority])).build_server_verifier(
            name).verify(certificate, [])

    def test_hosts_trust_each_other(self):
        certificates.create(layout.HOSTS)

        first, second = layout.HOSTS
        for authority, server in (
                ('qemu/ca-cert.pem', 'qemu/server-cert.pem'),
                ('CA/cacert.pem', 'libvirt/servercert.pem')):
            for name in NAMES:
                self._verify(self._read(second, authority),
                             self._read(first, server), name)

    def test_host_is_not_taken_for_the_other(self):
        certificates.create(layout.HOSTS)

        first, second = layout.HOSTS
        for name in NAMES:
            self.assertRaises(
                verification.VerificationError, self._verify,
                self._read(first, 'qemu/ca-cert.pem'),
                self._read(second, 'qemu/server-cert.pem'), name)

    def test_those_of_a_lab_that_is_up_stay(self):
        certificates.create(layout.HOSTS)
        before = self._read(layout.HOSTS[0], 'qemu/server-cert.pem')

        certificates.create(layout.HOSTS)

        self.assertEqual(
            before, self._read(layout.HOSTS[0], 'qemu/server-cert.pem'))

    def test_another_authority_is_not_trusted(self):
        certificates.create(layout.HOSTS)
        first, second = layout.HOSTS

        certificates.Authority().certify(first)

        self.assertRaises(
            verification.VerificationError, self._verify,
            self._read(second, 'qemu/ca-cert.pem'),
            self._read(first, 'qemu/server-cert.pem'), NAMES[0])
