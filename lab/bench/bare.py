# SPDX-License-Identifier: Apache-2.0

"""Move a guest by virsh, on the hosts of the lab but without Nova.

The domain is that of a server under another name, with a copy of its disk;
the server itself stands still meanwhile. Nova does not know the domain and
leaves it alone.
"""

from __future__ import annotations

import shutil
import subprocess
import time
import typing
import uuid

import libvirt

from lab.bench import domain
from lab.bench import guests
from lab.bench import observed
from lab.bench import result
from lab.bench import servers
from lab import errors
from lab.instruments import heartbeat
from lab.instruments import record

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab.cloud import hosts as lab_hosts

_MODE = 'virsh'


class BareWay:
    """One migration by virsh.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up
    :param busy: the server whose domain and disk are copied
    """

    def __init__(self, cloud: lab_cloud.Cloud, busy: servers.Server,
                 kind: guests.Guest) -> None:
        self._cloud = cloud
        self._busy = busy
        self._kind = kind
        self._identity = str(uuid.uuid4())

    def run(self, number: int, phase: int) -> result.Run:
        """Make one run, and leave nothing of it but the figures.

        :param phase: work (bytes) of the guest's cycle to begin at
        :raises lab.errors.LabError: when it cannot be made
        """
        source, destination = map(self._cloud.host, self._busy.hosts())
        self._busy.stand_still(True)
        pulse = heartbeat.Heartbeat()
        try:
            self._copy_disk(source, destination)
            self._start(source)
            pulse.follow((source.layout.management, domain.CONSOLE))
            servers.wait_for_work(pulse, self._kind)
            return self._move(source, destination, pulse, number, phase)
        finally:
            pulse.stop()
            for host in (source, destination):
                self._remove(host)
            self._busy.stand_still(False)

    def _move(self, source, destination, pulse: heartbeat.Heartbeat,
              number: int, phase: int) -> result.Run:
        seen = observed.Observed(self._cloud, self._kind, self._identity,
                                 pulse, source.name, destination.name)
        try:
            seen.wait_for_phase(phase)
            attempt = seen.begin(_MODE, post_copy=True)
            with subprocess.Popen(
                    [*source.enter(), *domain.command(
                        destination.layout, self._cloud.bandwidth)],
                    stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                    text=True) as virsh:
                try:
                    while virsh.poll() is None:
                        seen.look(attempt)
                finally:
                    virsh.kill()    # it has ended, or takes too long
                error = virsh.stderr.read().strip()
            attempt.note(record.CANCELLED if virsh.returncode
                         else record.COMPLETED, time.monotonic())
            run = seen.end(_MODE, number)
        finally:
            seen.close()
        run.compute_cpu = None      # it has no part in this
        run.error = error or None
        return run

    def _copy_disk(self, source, destination) -> None:
        """Give the domain a disk, and the other host room for it."""
        server = (source.layout.directory / 'instances' / self._busy.uuid
                  / 'disk')
        for host in (source, destination):
            path = host.layout.directory / 'instances' / domain.NAME / 'disk'
            path.parent.mkdir(exist_ok=True)
            if host is source:
                shutil.copy(server, path)
            else:
                with open(path, 'wb') as disk:
                    disk.truncate(server.stat().st_size)

    def _start(self, source) -> None:
        connection = source.connect()
        try:
            server = connection.lookupByUUIDString(self._busy.uuid).XMLDesc(
                libvirt.VIR_DOMAIN_XML_MIGRATABLE)
            connection.createXML(domain.description(server, self._identity))
        except libvirt.libvirtError as exc:
            raise errors.LabError(
                'the domain %s cannot be started on %s: %s'
                % (domain.NAME, source.name, exc)) from exc
        finally:
            connection.close()

    def _remove(self, host: lab_hosts.Host) -> None:
        connection = host.connect()
        try:
            connection.lookupByUUIDString(self._identity).destroy()
        except libvirt.libvirtError:
            pass        # it is not there
        finally:
            connection.close()
        shutil.rmtree(host.layout.directory / 'instances' / domain.NAME,
                      ignore_errors=True)
