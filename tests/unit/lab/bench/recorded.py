# SPDX-License-Identifier: Apache-2.0

"""Runs as a bench records them, for the tests of what is made of them."""

from lab.bench import guests
from lab.bench import modes
from lab.bench import result
from lab import layout


def run(mode: str, total: float | None, number: int = 1, guest: str = 'full',
        **changes) -> result.Run:
    """A run; it was aborted if it has no total."""
    return result.Run(**{
        'guest': guest, 'mode': mode, 'number': number, 'source': 'host-a',
        'destination': 'host-b', 'total': total,
        'result': 'aborted' if total is None else 'completed',
        'observed': total or 20.5, 'lost_work': (total or 20.5) / 4,
        'silence': 0.12, 'moved': 900 * layout.MIB} | changes)


def runs(mode: str, *totals: float | None, **changes) -> list[result.Run]:
    return [run(mode, total, number, **changes)
            for number, total in enumerate(totals, 1)]


def bench(*runs: result.Run) -> result.Bench:
    return result.Bench({
        'date': '2026-11-23T05:00+00:00', 'command': './run bench',
        'virsh': 'virsh migrate', 'seed': 1,
        'memory': guests.MEMORY_MIB * layout.MIB,
        'filled': guests.FILLED_MIB * layout.MIB,
        'bandwidth': 200 * layout.MIB,
        'limits': {mode.name: mode.limit for mode in modes.MODES.values()
                   if mode.limit}, 'guests': {},
        'machine': {'processors': 2, 'kernel': '6.1'},
        'versions': {'nova': '34.0.0'}}, list(runs))
