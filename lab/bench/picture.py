# SPDX-License-Identifier: Apache-2.0

"""``bench.png``: total and lost work of each way, guest by guest."""

from collections.abc import Mapping
import math
import pathlib

from matplotlib import figure

from lab.bench import guests
from lab.bench import modes
from lab.bench import result
from lab.bench import summary
from lab.instruments import picture

NAME = 'bench.png'
OURS = picture.DESTINATION
OTHERS = picture.SOURCE
NEVER = '#c9d3de'
_COLUMNS = (
    ('Until the server is there', summary.total),
    ('Work that the guest lost', summary.lost_work),
)
# The axes end at so many times ours: what takes longer is cut, or ours could
# not be seen.
_REACH_FACTOR = 3.0


def draw(bench: result.Bench, folder: pathlib.Path) -> pathlib.Path:
    """Write ``bench.png``; bars are medians, lines reach the quartiles.

    A bar that is cut has its figure inside.

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
        figsize=(12, 1.6 + (0.45 + 0.23 * len(ways)) * len(kinds)),
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
        reach = _reach(spreads)
        for row, kind in enumerate(kinds):
            axes = panels[row][column]
            for place, mode in enumerate(ways):
                _bar(axes, place, mode, spreads[kind.name, mode.name],
                     reach)
            _frame(axes, kind, ways, column, reach)
        panels[-1][column].set_xlabel('seconds', color=picture.FAINT)
        panels[0][column].annotate(
            title, (0, 1), xycoords='axes fraction',
            xytext=(0, 26), textcoords='offset points', fontsize=12,
            color=picture.INK, weight='bold')
        if column == 0:
            _mark_ideal(panels, bench.ideal)
    canvas.supxlabel(_legend(bench), fontsize=9, color=picture.FAINT,
                     x=0.012, ha='left')
    path = folder / NAME
    canvas.savefig(path, dpi=110)
    return path


def _reach(spreads: Mapping[tuple[str, str], summary.Spread | None]) -> float:
    """Return where the axis of some bars ends."""
    finite = {key: seen.median for key, seen in spreads.items()
              if seen is not None and seen.median < math.inf}
    ours = [median for (_, mode), median in finite.items()
            if mode == modes.OURS]
    longest = max(finite.values(), default=1.0)
    return min(longest * 1.2, _REACH_FACTOR * max(ours, default=longest))


def _bar(axes, place: int, mode: modes.Mode, seen: summary.Spread | None,
         reach: float) -> None:
    """Draw one way; one that never ends has no length, and says so."""
    if seen is None:
        return
    if seen.median > reach:
        never = seen.median == math.inf
        axes.barh(place, reach, height=0.7, color=NEVER if never else OTHERS,
                  hatch='//' if never else None, edgecolor='white')
        axes.annotate(summary.seconds(seen.median), (reach, place),
                      xytext=(-6, 0), textcoords='offset points', ha='right',
                      va='center', fontsize=8.5,
                      color=picture.INK if never else 'white')
        return
    axes.barh(place, seen.median, height=0.7,
              color=OURS if mode.name == modes.OURS else OTHERS)
    # Some runs of it may have had no end.
    high = seen.high if seen.high < math.inf else seen.median
    axes.plot([seen.low, high], [place, place], color=picture.INK,
              linewidth=1.2)
    axes.annotate(summary.seconds(seen.median) + (
                  ' or never' if seen.high == math.inf else ''),
                  (min(high, reach), place), xytext=(4, 0),
                  textcoords='offset points', va='center', fontsize=8.5,
                  color=picture.INK)


def _frame(axes, kind: guests.Guest, ways: list[modes.Mode], column: int,
           reach: float) -> None:
    axes.set_yticks(range(len(ways)), [mode.title for mode in ways]
                    if column == 0 else [''] * len(ways), fontsize=8.5)
    axes.set_ylim(len(ways) - 0.4, -0.6)
    axes.set_xlim(0, reach)
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
    counts = sorted({len(summary.runs(bench, run.guest, run.mode))
                     for run in bench.runs if run.result != 'failed'})
    return ('medians of %s runs, lines reach the quartiles, a bar with its '
            'figure inside is longer; %d MiB of RAM, '
            '%d MiB/s between the hosts; "never": not within %s' % (
                ' to '.join('%d' % count for count in {
                    counts[0]: 0, counts[-1]: 0}),
                bench.conditions['memory'] >> 20,
                bench.conditions['bandwidth'] >> 20,
                ', '.join('%.0f s (%s)' % (limit, name) for name, limit in
                          bench.conditions['limits'].items())))
