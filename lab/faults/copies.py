# SPDX-License-Identifier: Apache-2.0

"""How many copies of a guest run, read from the kernel.

libvirt may be down, or wrong. QEMU's threads cannot hide: the thread of a
virtual processor uses processor time exactly while the guest runs (the guest
of the lab is never idle).
"""

from collections.abc import Callable
import pathlib
import time

from lab.faults import looker
from lab.instruments import proof

INTERVAL_S = 0.2        # between two looks
TICKS = 2               # of the kernel's 10 ms, in one interval: it runs
# Reading all of them may take that long: what runs while one copy is
# read may not run any more when the other one is.
READ_S = 0.01
_VCPU = 'CPU '          # QEMU's name for these threads: "CPU 0/TCG"


def guest_ticks(pid: int) -> int:
    """Return the processor time of a guest, in ticks of the kernel."""
    ticks = 0
    try:
        for task in pathlib.Path('/proc/%d/task' % pid).iterdir():
            if (task / 'comm').read_text().startswith(_VCPU):
                fields = (task / 'stat').read_text().rpartition(')')[2]
                ticks += sum(map(int, fields.split()[11:13]))
    except OSError:
        pass            # it has ended
    return ticks


class Copies(looker.Looker):
    """Looks who runs.

    At the switch one copy stops and the other starts within one interval, so
    only what runs in two successive intervals is a second copy.

    :param hosts: as for :func:`lab.instruments.proof.qemu_processes`
    :param on_twice: called with the hosts that ran a copy each
    """

    def __init__(self, server: str, hosts: dict[str, int],
                 on_twice: Callable[[list[str]], None]) -> None:
        self._server = server
        self._hosts = hosts
        self._on_twice = on_twice
        self._ticks: dict[int, int] = {}
        self._running: set[int] = set()
        super().__init__(INTERVAL_S)

    def look(self) -> None:
        """Look once, an interval after the last time."""
        processes = proof.qemu_processes(self._server, self._hosts)
        begun = time.monotonic()
        ticks = {pid: guest_ticks(pid) for pid in processes}
        if time.monotonic() > begun + READ_S:
            self._ticks, self._running = ticks, set()
            return
        running = {pid for pid in ticks if pid in self._ticks
                   and ticks[pid] >= self._ticks[pid] + TICKS}
        if len(running & self._running) > 1:
            self._on_twice(sorted(processes[pid] for pid in running))
        self._ticks, self._running = ticks, running
