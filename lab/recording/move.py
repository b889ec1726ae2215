# SPDX-License-Identifier: Apache-2.0

"""Move one guest by pre-copy, and record what libvirt tells of it.

With the flags and the limit of the downtime with which nova-post-copy moves a
server, but nobody switches: the recording shows what there was to decide by.
"""

import json
import threading
import time
import typing

import libvirt

from lab import guest as lab_guest
from lab import layout
from lab.recording import hosts
from nova_post_copy.virt.libvirt import dirty_rate

MEMORY_MIB = 256
DOWNTIME_MS = 500       # Nova's default
INTERVAL_S = 0.1
#: From the first byte of memory, for a guest that does not converge.
LONGEST_S = 14.0
# A guest whose memory has not grown for so long has filled it.
_SETTLED_S = 2.0

#: libvirt's names of the figures; what it does not tell is null.
COLUMNS = ('type', 'time_elapsed', 'downtime', 'memory_total',
           'memory_processed', 'memory_remaining', 'memory_bps',
           'memory_constant', 'memory_normal', 'memory_page_size',
           'memory_dirty_rate', 'memory_iteration')

_FLAGS = (libvirt.VIR_MIGRATE_LIVE | libvirt.VIR_MIGRATE_PEER2PEER |
          libvirt.VIR_MIGRATE_UNDEFINE_SOURCE |
          libvirt.VIR_MIGRATE_PERSIST_DEST | libvirt.VIR_MIGRATE_POSTCOPY |
          # The disk is only read, and each host has it.
          libvirt.VIR_MIGRATE_UNSAFE)
_XML = '''
<domain type='qemu'>
  <name>guest</name>
  <memory unit='MiB'>%(memory)d</memory>
  <os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>
  <features><acpi/></features>
  <devices>
    <disk type='file'>
      <driver name='qemu' type='raw'/>
      <source file='%(disk)s'/>
      <target dev='vda' bus='virtio'/>
      <readonly/>
    </disk>
    <controller type='usb' model='none'/>
    <serial type='null'/>
    <memballoon model='virtio'/>
  </devices>
</domain>
'''


class Guest(typing.NamedTuple):
    """A guest of the lab; MiB and MiB/s."""

    working_set: int
    pace: int


_LINK_MIB = hosts.BANDWIDTH_BYTES_PER_S // layout.MIB
_FILLED_MIB = 224
GUESTS = {
    'idle': Guest(4, _LINK_MIB // 2),
    #: fits the downtime
    'hot-set': Guest(12, 4 * _LINK_MIB),
    #: walks through its memory at half of what the link carries
    'half-rate': Guest(_FILLED_MIB, _LINK_MIB // 2),
    #: does not fit the downtime
    'quarter': Guest(64, 4 * _LINK_MIB),
    'full': Guest(_FILLED_MIB, 2 * _LINK_MIB),
}


def record(source: hosts.Host, destination: hosts.Host,
           guest: Guest) -> dict[str, typing.Any]:
    """Move a guest until the migration ends, or has taken long enough."""
    for host in (source, destination):
        lab_guest.build_image(host.disk, guest.working_set, guest.pace,
                              filled_mib=_FILLED_MIB, beat_mib=1)
    connection = source.connect()
    domain = connection.createXML(
        _XML % {'memory': MEMORY_MIB, 'disk': hosts.DISK})
    try:
        _wait_until_filled(domain)
        domain.startDirtyRateCalc(
            dirty_rate.seconds(MEMORY_MIB, _LINK_MIB),
            libvirt.VIR_DOMAIN_DIRTYRATE_MODE_PAGE_SAMPLING)
        memory = domain.memoryStats()
        time.sleep(0.5)     # what Nova does between request and migration
        return {
            'libvirt': _version(connection.getLibVersion()),
            'qemu': _version(connection.getVersion()),
            'guest': guest._asdict(),
            'bandwidth_mib': _LINK_MIB,
            'memory': {name: memory[name] for name in ('actual', 'rss')},
            **_Recording(source, destination).run(domain)}
    finally:
        connection.close()
        for host in (source, destination):
            connection = host.connect()
            for left in connection.listAllDomains():
                if left.isPersistent():
                    left.undefine()
                left.destroy()
            connection.close()


def _wait_until_filled(domain: libvirt.virDomain) -> None:
    used, since = 0, time.monotonic()
    while time.monotonic() - since < _SETTLED_S:
        now = domain.memoryStats()['rss']
        if now > used + 1024:
            used, since = now, time.monotonic()
        time.sleep(INTERVAL_S)


class _Recording:
    def __init__(self, source: hosts.Host, destination: hosts.Host) -> None:
        self._source, self._destination = source, destination
        self._began = 0.0
        self._looks: list[list[int | None]] = []
        self._collections: list[tuple[float, int]] = []
        self._dirty_rate: dict[str, typing.Any] | None = None
        self._ended = self._aborted = False

    def run(self, domain: libvirt.virDomain) -> dict[str, typing.Any]:
        # Events and the call that blocks have connections of their own.
        moves = threading.Thread(target=self._move, args=(domain.UUID(),))
        listener = _Listener(self._source, self._collected)
        self._began = time.monotonic()
        moves.start()
        try:
            self._watch(domain, moves)
        finally:
            moves.join()
            listener.close()
        return {'ended': self._ended, 'dirty_rate': self._dirty_rate,
                'collections': self._collections,
                'columns': ['seconds', *COLUMNS], 'looks': self._looks}

    def _move(self, uuid: bytes) -> None:
        connection = self._source.connect()
        try:
            connection.lookupByUUID(uuid).migrateToURI3(
                'qemu+tcp://%s/system' % self._destination.address,
                {libvirt.VIR_MIGRATE_PARAM_BANDWIDTH: _LINK_MIB,
                 libvirt.VIR_MIGRATE_PARAM_URI:
                 'tcp://' + self._destination.address}, _FLAGS)
            self._ended = True
        except libvirt.libvirtError as exc:
            if not self._aborted:
                print('The migration has failed: %s' % exc)
        finally:
            connection.close()

    def _watch(self, domain: libvirt.virDomain,
               moves: threading.Thread) -> None:
        until = None
        while moves.is_alive():
            try:
                stats = domain.jobStats()
                self._look_at_dirty_rate(domain)
            except libvirt.libvirtError:
                break       # it has left
            now = time.monotonic() - self._began
            if 'memory_total' in stats and stats['memory_total']:
                if until is None:
                    domain.migrateSetMaxDowntime(DOWNTIME_MS)
                    until = now + LONGEST_S
                self._looks.append([
                    round(now, 3), *map(stats.get, COLUMNS)])
            if until is not None and now > until:
                self._aborted = True
                domain.abortJob()
                break
            time.sleep(INTERVAL_S)

    def _look_at_dirty_rate(self, domain: libvirt.virDomain) -> None:
        if self._dirty_rate is not None:
            return
        (_domain, stats), = domain.connect().domainListGetStats(
            [domain], libvirt.VIR_DOMAIN_STATS_DIRTYRATE)
        if (stats.get('dirtyrate.calc_status') ==
                libvirt.VIR_DOMAIN_DIRTYRATE_MEASURED):
            self._dirty_rate = {
                'seen': round(time.monotonic() - self._began, 3),
                'seconds': stats['dirtyrate.calc_period'],
                'mib_per_second': stats['dirtyrate.megabytes_per_second']}

    def _collected(self, iteration: int) -> None:
        self._collections.append(
            (round(time.monotonic() - self._began, 3), iteration))


class _Listener:
    """Passes on libvirt's events that dirty pages were collected."""

    def __init__(self, host: hosts.Host, collected) -> None:
        libvirt.virEventRegisterDefaultImpl()
        self._connection = host.connect()
        self._connection.domainEventRegisterAny(
            None, libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION,
            lambda _connection, _domain, iteration, _opaque:
            collected(iteration), None)
        self._open = True
        # The loop wakes at least as often, so that it can end.
        self._timer = libvirt.virEventAddTimeout(
            100, lambda timer, opaque: None, None)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while self._open:
            libvirt.virEventRunDefaultImpl()

    def close(self) -> None:
        self._open = False
        self._thread.join()
        libvirt.virEventRemoveTimeout(self._timer)
        self._connection.close()


def _version(number: int) -> str:
    return '%d.%d.%d' % (
        number // 1000000, number // 1000 % 1000, number % 1000)


def text(recording: dict[str, typing.Any]) -> str:
    """Return a recording as JSON with a line for each look."""
    return '{\n%s\n}\n' % ',\n'.join('%s: %s' % (
        json.dumps(name), '[\n%s]' % ',\n'.join(map(json.dumps, value))
        if name == 'looks' else json.dumps(value))
        for name, value in recording.items())
