# SPDX-License-Identifier: Apache-2.0

"""Encrypted migrations, and a second address to resume them over."""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import libvirt

from lab.cloud import certificates
from lab.cloud import cloud as lab_cloud
from lab.cloud import lock
from lab.cloud.services import nova
from lab import layout
from tests.lab import base

# Where libvirt puts migrations.
PORTS = range(49152, 49216)
RECOVERY = 'compute_live_migration_post_copy_recovery'
# Some seconds for each half of the migration.
SLOW_BYTES_PER_S = 100 * layout.MIB
# What TLS begins with, in each of its versions, and what QEMU asks for before
# it begins with TLS to copy a disk (NBD_OPT_STARTTLS).
CLIENT_HELLO = b'\x16\x03\x01'
START_TLS = b'\0\0\0\3IHAVEOPT\0\0\0\5'


def setUpModule() -> None:
    # For all tests at once: a compute takes its time to start.
    _configure(nova.TLS, {
        host.name: {'recovery_addr': host.recovery} for host in layout.HOSTS})


def tearDownModule() -> None:
    _configure(nova.TLS if lock.owner()['tls'] else {}, {})


def _configure(libvirt_options: dict, post_copy: dict[str, dict]) -> None:
    cloud = lab_cloud.Cloud()
    for host in cloud.hosts.values():
        nova.configure_compute(host, True, libvirt_options,
                               post_copy.get(host.name))
        host.kill_compute()
        host.start_compute()
    for name in cloud.hosts:
        cloud.wait_for_compute(name)


class TLSTest(base.Case):

    def setUp(self) -> None:
        super().setUp()
        self.source = self.cloud.host(base.SOURCE)
        self.destination = self.cloud.host(base.DESTINATION)
        self.slow_down(SLOW_BYTES_PER_S)

    def _start(self):
        server = self.boot()
        pulse = self.follow(server)
        self.nova.servers.live_migrate(server, base.DESTINATION, 'auto',
                                       post_copy=True)
        return server, pulse

    def _listen(self, network: str) -> 'Streams':
        streams = Streams(self.destination, network)
        self.addCleanup(streams.stop)
        return streams

    def _assert_recovered(self, server, pulse) -> None:
        self.wait_for(server, 'completed')
        self.assert_moved(server, pulse, base.SOURCE, base.DESTINATION, True)
        self.assertEqual(['Success'], [
            event['result'] for event in self.finished(
                server, event=RECOVERY)])

    def _assert_encrypted(self, begun: list[tuple[int, bytes]],
                          of_qemu: int) -> None:
        self.assertEqual([], [
            (port, begin) for port, begin in begun
            if not begin.startswith((CLIENT_HELLO, START_TLS))])
        # A resume may take more than one attempt.
        self.assertLessEqual(
            of_qemu, sum(port in PORTS for port, _ in begun))

    def test_broken_stream_is_resumed_with_tls(self):
        streams = self._listen('migration')
        server, pulse = self._start()
        self.wait_for_switch(server)

        connection = self.source.connect()
        self.addCleanup(connection.close)
        connection.lookupByUUIDString(server.id).abortJobFlags(
            libvirt.VIR_DOMAIN_ABORT_JOB_POSTCOPY)

        self._assert_recovered(server, pulse)
        # The disk, the memory, and the memory once more.
        self._assert_encrypted(streams.stop(), 3)

    def test_dead_stream_is_resumed_over_the_second_address(self):
        streams = self._listen('recovery')
        server, pulse = self._start()
        self.wait_for_switch(server)

        self.source.cut_migration_network()
        self.addCleanup(self.source.connect_migration_network)

        self._assert_recovered(server, pulse)
        self._assert_encrypted(streams.stop(), 1)

    def test_unknown_authority_is_refused_before_the_switch(self):
        folder = self.destination.layout.directory / 'etc-pki'
        saved = pathlib.Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, saved)
        shutil.copytree(folder, saved, dirs_exist_ok=True)
        self.addCleanup(shutil.copytree, saved, folder, dirs_exist_ok=True)
        certificates.Authority().certify(self.destination.layout)

        server, pulse = self._start()

        self.wait_for(server, 'error')
        self.assert_stayed(server, pulse)
        reason, *_others = self.finished(server, result='Error')
        self.assertIn('certificate', reason['details'])


class Streams:
    """How the TCP streams to a host begin, on one network."""

    def __init__(self, host, network: str) -> None:
        self._process = subprocess.Popen(
            [*host.enter(), sys.executable,
             pathlib.Path(__file__).with_name('first_bytes.py'), network],
            text=True, stdout=subprocess.PIPE)
        self._process.stdout.readline()     # it listens

    def stop(self) -> list[tuple[int, bytes]]:
        """Return port and first bytes of each."""
        self._process.terminate()
        if not self._process.stdout.closed:
            self._begun = [
                (int(port), bytes.fromhex(begin)) for port, begin in map(
                    str.split, self._process.communicate()[0].splitlines())]
        return self._begun
