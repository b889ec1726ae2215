# SPDX-License-Identifier: Apache-2.0

"""What libvirt told of real migrations; ``python -m lab.recording``.

Guests of 256 MiB over 40 MiB/s, so that a complete pass takes 6.4 s and 20 MiB
fit the downtime. Nobody switched them: those that pre-copy could not end were
aborted.
"""

from collections.abc import Iterator
import json
import pathlib
import typing

GENERATIONS = ('debian12', 'debian13', 'debian13-backports')


class Look(typing.NamedTuple):
    stats: dict[str, int]       #: of the job
    lag: float                  #: since dirty pages were collected
    #: of the dirty rate; None: it is still measured
    measured: dict[str, int] | None


class Recording:
    """One guest on one generation of libvirt and QEMU."""

    def __init__(self, generation: str, guest: str) -> None:
        self._data = json.loads(pathlib.Path(__file__).with_name(
            generation).joinpath(guest + '.json').read_text())
        self.memory = self._data['memory']
        #: pre-copy has ended it
        self.ended = self._data['ended']

    def looks(self) -> Iterator[Look]:
        rate = self._data['dirty_rate']
        for row in self._data['looks']:
            seconds, *figures = row
            stats = {name: figure for name, figure in zip(
                self._data['columns'][1:], figures, strict=True)
                if figure is not None}
            lag = max((seconds - at
                       for at, iteration in self._data['collections']
                       if iteration == stats['memory_iteration']
                       and at <= seconds), default=0.0)
            yield Look(stats, lag, rate if rate['seen'] <= seconds else None)
