# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

"""``bench.png``: total and lost work of each way, guest by guest."""

import math
import pathlib

from matplotlib import figure

from lab.bench import guests
from lab.bench import modes
from lab.bench import result
from lab.bench import summary
from lab import picture

NAME = 'bench.png'
OURS = picture.DESTINATION
OTHERS = picture.SOURCE
NEVER = '#c9d3de'
_COLUMNS = (
    ('seconds until the server is there', summary.total),
    ('seconds of work that the guest lost', summary.lost_work),
)


def draw(bench: result.Bench, folder: pathlib.Path) -> pathlib.Path:
    """Write ``bench.png``; bars are medians, lines reach the quartiles.

    :returns: its path
    :raises ValueError: for a bench without runs
    """
    kinds = [kind for kind in guests.GUESTS.values()
             if any(run.guest == kind.name for run in bench.runs)]
    ways = [mode for mode in modes.MODES.values()
            if any(run.mode == mode.name for run in bench.runs)]
    if not (kinds and ways):
        raise ValueError('There is nothing to draw.')
    canvas = figure.Figure(
        figsize=(12, 1.2 + (0.5 + 0.27 * len(ways)) * len(kinds)),
        layout='constrained')
    canvas.suptitle('Moving a server, by what it does with its memory',
                    x=0.012, ha='left', fontsize=15, color=picture.INK,
                    weight='bold')
    panels = canvas.subplots(len(kinds), 2, sharex='col', squeeze=False)
    for column, (title, value) in enumerate(_COLUMNS):
        spreads = {
            (kind.name, mode.name): summary.spread(
                bench, kind.name, mode.name, value)
            for kind in kinds for mode in ways}
        highest = max((seen.high if seen.high < math.inf else seen.median
                       for seen in spreads.values() if seen
                       and seen.median < math.inf), default=1.0)
        for row, kind in enumerate(kinds):
            axes = panels[row][column]
            for place, mode in enumerate(ways):
                _bar(axes, place, mode, spreads[kind.name, mode.name],
                     highest)
            _frame(axes, kind, ways, column, highest)
        panels[-1][column].set_xlabel(title, color=picture.FAINT)
        if column == 0:
            _mark_ideal(panels, bench.ideal)
    canvas.supxlabel(_legend(bench), fontsize=9, color=picture.FAINT,
                     x=0.012, ha='left')
    path = folder / NAME
    canvas.savefig(path, dpi=110)
    return path


def _bar(axes, place: int, mode: modes.Mode, seen: summary.Spread | None,
         highest: float) -> None:
    """Draw one way; one that never ends has no length, and says so."""
    if seen is None:
        return
    if seen.median == math.inf:
        axes.barh(place, highest * 1.15, color=NEVER, hatch='//',
                  edgecolor='white', height=0.7)
        axes.annotate('never', (highest * 1.1, place), ha='right',
                      va='center', fontsize=8.5, color=picture.INK)
        return
    axes.barh(place, seen.median, height=0.7,
              color=OURS if mode.name == modes.OURS else OTHERS)
    # Some runs of it may have had no end.
    high = seen.high if seen.high < math.inf else seen.median
    axes.plot([seen.low, high], [place, place], color=picture.INK,
              linewidth=1.2)
    axes.annotate(summary.seconds(seen.median) + (
                  ' or never' if seen.high == math.inf else ''),
                  (high, place), xytext=(4, 0),
                  textcoords='offset points', va='center', fontsize=8.5,
                  color=picture.INK)


def _frame(axes, kind: guests.Guest, ways: list[modes.Mode], column: int,
           highest: float) -> None:
    axes.set_yticks(range(len(ways)), [mode.title for mode in ways]
                    if column == 0 else [''] * len(ways), fontsize=8.5)
    axes.set_ylim(len(ways) - 0.4, -0.6)
    axes.set_xlim(0, highest * 1.15)
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(colors=picture.INK, length=0)
    if column == 0:
        axes.set_title(kind.title, loc='left', fontsize=11,
                       color=picture.INK)


def _mark_ideal(panels, ideal: float) -> None:
    for row in panels:
        row[0].axvline(ideal, color=picture.FAINT, linewidth=1,
                       linestyle='--')
    panels[0][0].annotate(
        'RAM / bandwidth', (ideal, 1), xycoords=('data', 'axes fraction'),
        xytext=(3, 3), textcoords='offset points', fontsize=8.5,
        color=picture.FAINT)


def _legend(bench: result.Bench) -> str:
    counts = [len(summary.runs(bench, run.guest, run.mode))
              for run in bench.runs]
    return ('medians of %s runs, lines reach the quartiles; %d MiB of RAM, '
            '%d MiB/s between the hosts; "never": not within %s' % (
                '%d' % min(counts, default=0)
                if min(counts, default=0) == max(counts, default=0)
                else '%d to %d' % (min(counts), max(counts)),
                bench.conditions['memory'] >> 20,
                bench.conditions['bandwidth'] >> 20,
                ', '.join('%.0f s (%s)' % (limit, name) for name, limit in
                          bench.conditions['limits'].items())))
