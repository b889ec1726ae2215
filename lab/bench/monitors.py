# SPDX-License-Identifier: Apache-2.0

"""``python -m lab.bench.monitors``: what it costs to watch many migrations.

The product's own monitors, each in a thread as in nova-compute, watch
simulated migrations in the middle of pre-copy: passes of some seconds, a
statistic whenever it is asked for, an event at each boundary. Nothing is
migrated and nothing saved: what is measured is the watching. Printed, and
added to the ``bench.json`` of a folder that is named.
"""

import argparse
import collections
from collections.abc import Sequence
import dataclasses
import heapq
import pathlib
import sys
import threading
import time
import types

import futurist
import libvirt
import nova.conf
from nova import objects
from nova.virt.libvirt import guest as libvirt_guest

# As nova-compute does before it loads its driver.
objects.register_all()

from nova_post_copy import conf
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration import monitor
from nova_post_copy.virt.libvirt import signals

from lab.bench import costs
from lab.bench import result
from lab import layout
from lab import output

SIZES = (1, 10, 100, 1000)
MEASURED_S = 20.0          # that are measured
MEMORY_BYTES = 4096 * layout.MIB
WORKING_SET_BYTES = 1024 * layout.MIB
BANDWIDTH_BYTES_PER_S = 256 * layout.MIB
PASS_S = WORKING_SET_BYTES / BANDWIDTH_BYTES_PER_S  # after the first one


class Domain:
    """A guest in pre-copy: a domain and its job, as libvirt shows them."""

    def __init__(self, uuid: str, began: float) -> None:
        self._uuid = uuid
        self._began = began

    def UUIDString(self) -> str:
        return self._uuid

    def state(self, flags: int = 0) -> list[int]:
        return [libvirt.VIR_DOMAIN_RUNNING, libvirt.VIR_DOMAIN_RUNNING_BOOTED]

    def jobStats(self, flags: int = 0) -> dict:
        elapsed = time.monotonic() - self._began
        number, inside = divmod(elapsed, PASS_S)
        return {
            'type': libvirt.VIR_DOMAIN_JOB_UNBOUNDED,
            'time_elapsed': int(1000 * elapsed),
            'memory_total': MEMORY_BYTES, 'memory_bps': BANDWIDTH_BYTES_PER_S,
            'memory_processed': int(elapsed * BANDWIDTH_BYTES_PER_S),
            'memory_remaining': int(
                WORKING_SET_BYTES - inside * BANDWIDTH_BYTES_PER_S),
            'memory_iteration': int(number) + 2}

    def memoryStats(self) -> dict:
        return {'actual': MEMORY_BYTES >> 10, 'rss': MEMORY_BYTES >> 10}

    def XMLDesc(self, flags: int = 0) -> str:
        return '<domain/>'

    def migrateSetMaxDowntime(self, downtime: int, flags: int = 0) -> None:
        pass


class Host:
    """libvirt and Nova's connection to it, with a clock of its own.

    The thread that makes the events is not counted: it is libvirt's work.
    """

    def __init__(self) -> None:
        self.domains: dict[str, Domain] = {}
        self.ended = threading.Event()
        self.seconds = 0.0      #: of processor, of the thread
        self._callbacks = {}
        self._due: list[tuple[float, str]] = []

    def get_guest(self, instance: objects.Instance) -> libvirt_guest.Guest:
        return libvirt_guest.Guest(self.domains[instance.uuid])

    def get_connection(self) -> 'Host':
        return self

    def domainEventRegisterAny(self, dom, eventID, cb, opaque) -> int:
        self._callbacks[eventID] = cb
        return eventID

    def domainListGetStats(self, doms: list, stats: int = 0,
                           flags: int = 0) -> list:
        return [(domain, {}) for domain in doms]

    def add(self, uuid: str, began: float) -> None:
        """Add a migration that began at this second."""
        self.domains[uuid] = Domain(uuid, began)
        now = time.monotonic()
        passed = (now - began) // PASS_S
        heapq.heappush(self._due, (began + (passed + 1) * PASS_S, uuid))

    def run(self) -> None:
        """Tell of each boundary until the end."""
        tell = self._callbacks[libvirt.VIR_DOMAIN_EVENT_ID_MIGRATION_ITERATION]
        while not self.ended.wait(max(0.0, self._due[0][0]
                                      - time.monotonic())):
            moment, uuid = heapq.heappop(self._due)
            heapq.heappush(self._due, (moment + PASS_S, uuid))
            tell(self, self.domains[uuid], 0, None)
        self.seconds = time.thread_time()


class Reporter:
    """Counts what would be saved."""

    switched = False

    def __init__(self) -> None:
        self.saved = 0

    def progress(self, *_ignored) -> None:
        self.saved += 1

    def moving(self, switched: bool) -> None:
        pass

    def go_on(self) -> None:
        pass

    def finish(self) -> None:
        pass


class Wakes:
    """Counts how often a monitor wakes."""

    def __init__(self, heard: signals.Signals) -> None:
        self.count = 0
        self._wait = heard.wait
        heard.wait = self.wait

    def wait(self, timeout: float) -> None:
        self._wait(timeout)
        self.count += 1


@dataclasses.dataclass
class Watched:
    """What it took to watch so many migrations."""

    migrations: int
    seconds: float
    cpu: float          #: seconds of processor
    wakes: int
    saved: int          #: records of the progress


def watch(count: int, seconds: float) -> Watched:
    """Watch so many migrations for so long."""
    host, stopping = Host(), threading.Event()
    dispatcher = signals.Dispatcher(host)
    wakes: list[Wakes] = []
    migrations = []
    for number in range(count):
        uuid = '00000000-0000-4000-8000-%012d' % number
        # They do not begin all at once.
        host.add(uuid, time.monotonic() - PASS_S * (5 + number / count))
        heard = dispatcher.subscribe(uuid)
        wakes.append(Wakes(heard))
        migrations.append(_migration(host, uuid, heard, stopping))
    threads = [threading.Thread(target=monitor.watch,
                                args=(each, futurist.Future()))
               for each in migrations]
    threads.append(threading.Thread(target=host.run))
    for thread in threads:
        thread.start()
    time.sleep(PASS_S)        # until all of them have found their beat
    before = _spent(migrations, wakes)
    begun = time.monotonic()
    time.sleep(seconds)
    after = _spent(migrations, wakes)
    lasted = time.monotonic() - begun
    stopping.set()
    host.ended.set()
    dispatcher.wake_all()
    for thread in threads:
        thread.join()
    share = lasted / (lasted + PASS_S)
    cpu, woken, saved = (later - sooner for sooner, later
                         in zip(before, after))
    return Watched(count, lasted, cpu - host.seconds * share, woken, saved)


def _spent(migrations: Sequence[LiveMigration],
           wakes: Sequence[Wakes]) -> tuple[float, int, int]:
    """Return seconds of processor, wake-ups and saves until now."""
    return (time.process_time(), sum(each.count for each in wakes),
            sum(each.reporter.saved for each in migrations))


def _migration(host: Host, uuid: str, heard: signals.Signals,
               stopping: threading.Event) -> LiveMigration:
    return LiveMigration(
        host, objects.Instance(uuid=uuid, flavor=objects.Flavor(
            memory_mb=MEMORY_BYTES // layout.MIB)),
        collections.deque(), can_switch=True, link=types.SimpleNamespace(),
        reporter=Reporter(), signals=heard, stopping=stopping)


def main(argv: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        prog='monitors', description='Watch simulated live migrations, and '
        'say what that costs.')
    parser.add_argument(
        '--output', type=pathlib.Path, metavar='DIR',
        help='add the figures to the bench.json that is there')
    arguments = parser.parse_args(argv)
    conf.register_opts(nova.conf.CONF)
    nova.conf.CONF([], default_config_files=[])
    # None of them shall come to its end.
    nova.conf.CONF.set_override('switch_policy', 'manual', 'post_copy')
    found = []
    for count in SIZES:
        found.append(watch(count, MEASURED_S))
        print('%d migrations are watched' % count, file=sys.stderr)
    seen = {'pass_seconds': PASS_S,
            'runs': list(map(dataclasses.asdict, found))}
    print(output.columns(costs.monitors(seen)))
    if arguments.output is not None:
        bench = result.load(arguments.output / result.NAME)
        bench.costs['monitors'] = seen
        bench.save(arguments.output)
    return 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
