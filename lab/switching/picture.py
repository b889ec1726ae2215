# SPDX-License-Identifier: Apache-2.0

"""``switching*.png``: the outcome of each way, and of each weight."""

import math
import pathlib
import statistics

from matplotlib import figure

from lab.instruments import picture
from lab.switching import experiment
from lab.switching import report

# Where a migration that does not end is drawn, in complete passes.
_NEVER = 2.25
_OTHERS = (
    # passes, label, marker
    (0, 'post-copy at once', '<'),
    (1, 'post-copy after one pass', 's'),
    (math.inf, 'never post-copy', '>'),
)


def draw(cases: list[experiment.Case], growths: list[experiment.Growth],
         folder: pathlib.Path) -> list[pathlib.Path]:
    """Write the pictures.

    :returns: their paths
    """
    return [_draw_guests(cases, folder / 'switching.png'),
            _draw_rules(cases, growths, folder / 'switching-rules.png')]


def _draw_guests(cases: list[experiment.Case],
                 path: pathlib.Path) -> pathlib.Path:
    """Draw total and degraded time of each guest of the middle size."""
    scale = experiment.guests.SCALES[1]
    shown = [case for case in cases if case.scale == scale]
    canvas = figure.Figure(figsize=(12, 1.9 + 0.3 * len(shown)),
                           layout='constrained')
    canvas.suptitle('When to switch: %s' % scale.name, x=0.012, ha='left',
                    fontsize=15, color=picture.INK, weight='bold')
    panels = canvas.subplots(1, 2, sharey=True)
    weight = experiment.DEFAULT_WEIGHT
    for axes, title, ours, value in (
            (panels[0], 'until the memory is complete',
             report.seconds(shown, weight), 'seconds'),
            (panels[1], 'of that, degraded by post-copy',
             report.degraded(shown, weight), 'degraded')):
        for passes, label, marker in _OTHERS:
            axes.plot(
                [_place(case, passes, value) for case in shown],
                range(len(shown)), linestyle='', marker=marker,
                markersize=7, markerfacecolor='none',
                markeredgecolor=picture.SOURCE, label=label)
        axes.plot(ours, range(len(shown)), linestyle='', marker='o',
                  markersize=6, color=picture.DESTINATION, label='ours')
        axes.set_title(title, loc='left', fontsize=11, color=picture.INK)
        axes.set_xlabel('complete passes (RAM / bandwidth)',
                        color=picture.FAINT)
        axes.grid(axis='y', color=picture.ATTEMPT)
        axes.set_axisbelow(True)
        axes.spines[['top', 'right']].set_visible(False)
    panels[0].set_xlim(-0.05, _NEVER + 0.1)
    panels[1].set_xlim(-0.05, 1.15)
    panels[0].axvline(_NEVER - 0.1, color=picture.FAINT, linewidth=0.8)
    panels[0].annotate('later, or never', (_NEVER - 0.1, -0.8),
                       xytext=(-4, 0), textcoords='offset points',
                       ha='right', fontsize=8.5, color=picture.FAINT)
    panels[0].set_yticks(range(len(shown)),
                         [case.guest.name for case in shown], fontsize=9)
    panels[0].set_ylim(len(shown) - 0.4, -1.4)
    canvas.legend(*panels[0].get_legend_handles_labels(),
                  loc='outside lower left', ncols=4, frameon=False)
    canvas.savefig(path, dpi=90)
    return path


def _place(case: experiment.Case, passes: float, value: str) -> float:
    """Return complete passes, cut off at the edge of the picture."""
    outcome = case.after[passes]
    if not outcome.ended:
        return _NEVER if value == 'seconds' else math.nan
    return min(_NEVER, getattr(outcome, value) / case.scale.complete_pass)


def _draw_rules(cases: list[experiment.Case],
                growths: list[experiment.Growth],
                path: pathlib.Path) -> pathlib.Path:
    canvas = figure.Figure(figsize=(12, 4.6), layout='constrained')
    left, right = canvas.subplots(1, 2)
    _draw_weights(left, cases)
    _draw_growths(right, growths)
    for axes in (left, right):
        axes.spines[['top', 'right']].set_visible(False)
        axes.tick_params(colors=picture.FAINT)
    canvas.savefig(path, dpi=90)
    return path


def _draw_weights(axes, cases: list[experiment.Case]) -> None:
    totals = [statistics.fmean(report.seconds(cases, weight))
              for weight in experiment.WEIGHTS]
    slow = [statistics.fmean(report.degraded(cases, weight))
            for weight in experiment.WEIGHTS]
    axes.plot(slow, totals, marker='o', color=picture.DESTINATION,
              label='ours, by degraded_weight')
    for weight, x, y in zip(experiment.WEIGHTS, slow, totals, strict=True):
        axes.annotate('%g' % weight, (x, y), xytext=(6, 4),
                      textcoords='offset points', color=picture.INK)
    for passes, label, marker in _OTHERS[:2]:
        axes.plot(
            statistics.fmean(_place(case, passes, 'degraded')
                             for case in cases),
            statistics.fmean(_place(case, passes, 'seconds')
                             for case in cases),
            linestyle='', marker=marker, markersize=8,
            markerfacecolor='none', markeredgecolor=picture.SOURCE,
            label=label)
    axes.set_title('Means of all guests', loc='left', fontsize=11,
                   color=picture.INK)
    axes.set_xlabel('degraded (complete passes)', color=picture.FAINT)
    axes.set_ylabel('total (complete passes)', color=picture.FAINT)
    axes.legend(frameon=False)


def _draw_growths(axes, growths: list[experiment.Growth]) -> None:
    exponents = [growth.exponent for growth in growths]
    axes.plot(exponents, [growth.measured for growth in growths],
              marker='o', color=picture.DESTINATION,
              label='the dirty rate was measured')
    axes.plot(exponents, [growth.unmeasured for growth in growths],
              marker='s', color=picture.SOURCE,
              label='nothing is known before the first boundary')
    axes.set_title('What one observation is taken for', loc='left',
                   fontsize=11, color=picture.INK)
    axes.set_xlabel('dirty pages grow with time to the power of',
                    color=picture.FAINT)
    axes.set_ylabel('cost / cost of the best boundary', color=picture.FAINT)
    axes.set_ylim(1.0, None)
    axes.legend(frameon=False)
