# SPDX-License-Identifier: Apache-2.0

"""The certificates with which the hosts know each other.

One authority for the lab, and for each host a certificate that holds for all
of its addresses and for both roles: the destination of a migration is its
server, the source its client. They lie where libvirt and QEMU look by
themselves, in the ``/etc/pki`` of the host. Nobody keeps the authority's key.
"""

from collections.abc import Iterable
import datetime
import ipaddress
import pathlib

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization
from cryptography import x509
from cryptography.x509 import oid

from lab import layout

_VALID_FOR = datetime.timedelta(days=365)

# Below /etc/pki: what QEMU reads, and what libvirtd and its clients read.
_AUTHORITY_FILES = ('qemu/ca-cert.pem', 'CA/cacert.pem')
_CERTIFICATE_FILES = ('qemu/server-cert.pem', 'qemu/client-cert.pem',
                      'libvirt/servercert.pem', 'libvirt/clientcert.pem')
_KEY_FILES = ('qemu/server-key.pem', 'qemu/client-key.pem',
              'libvirt/private/serverkey.pem',
              'libvirt/private/clientkey.pem')


class Authority:
    """Who says which host is which."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name('nova-post-copy lab')
        self._certificate = self._certify(
            self._name, self._key, is_authority=True).sign(
            self._key, hashes.SHA256())

    def certify(self, host: layout.HostLayout) -> None:
        """Give a host its certificates, in place of those that it has."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certify(
            _name(host.name), key, is_authority=False).add_extension(
            x509.ExtendedKeyUsage([oid.ExtendedKeyUsageOID.SERVER_AUTH,
                                   oid.ExtendedKeyUsageOID.CLIENT_AUTH]),
            critical=False).add_extension(
            x509.SubjectAlternativeName([
                x509.DNSName(host.name),
                *(x509.IPAddress(ipaddress.ip_address(address))
                  for address in (host.management, host.migration,
                                  host.recovery))]),
            critical=False).sign(self._key, hashes.SHA256())
        folder = _folder(host)
        _write(folder, _AUTHORITY_FILES, _pem(self._certificate))
        _write(folder, _CERTIFICATE_FILES, _pem(certificate))
        _write(folder, _KEY_FILES, key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption()))

    def _certify(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey,
                 is_authority: bool) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return x509.CertificateBuilder(
            issuer_name=self._name, subject_name=subject,
            public_key=key.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=now - datetime.timedelta(days=1),
            not_valid_after=now + _VALID_FOR,
        ).add_extension(
            x509.BasicConstraints(ca=is_authority, path_length=None),
            critical=True,
        ).add_extension(
            x509.SubjectKeyIdentifier.from_public_key(key.public_key()),
            critical=False,
        ).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(
                self._key.public_key()),
            critical=False,
        ).add_extension(
            x509.KeyUsage(
                digital_signature=not is_authority,
                # libvirtd insists on it, for any kind of key.
                key_encipherment=not is_authority,
                key_cert_sign=is_authority, crl_sign=is_authority,
                content_commitment=False, data_encipherment=False,
                key_agreement=False, encipher_only=False,
                decipher_only=False),
            critical=True)


def create(hosts: Iterable[layout.HostLayout]) -> None:
    """Make the certificates of all hosts, unless they are there.

    They belong together, and libvirtd has read them when it was started.
    """
    hosts = list(hosts)
    if all(_folder(host).exists() for host in hosts):
        return
    authority = Authority()
    for host in hosts:
        authority.certify(host)


def _folder(host: layout.HostLayout) -> pathlib.Path:
    return host.directory / 'etc-pki'


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(oid.NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _write(folder: pathlib.Path, names: Iterable[str], content: bytes) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
