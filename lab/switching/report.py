# SPDX-License-Identifier: Apache-2.0

"""The figures of the experiment as tables."""

import csv
import io
import math
import statistics

from lab.switching import experiment
from lab.switching import world

_HEAD = ('Guest', 'ours', 'after one pass', 'never', 'at once',
         'ours / best')


def comparison(cases: list[experiment.Case], weight: float) -> str:
    """Return a table of each guest, as CSV.

    Total and degraded time in complete passes, and our cost relative to that
    of the best way in hindsight.
    """
    rows = []
    for case in cases:
        ours = case.ours[weight]
        rows.append((
            case.guest.name,
            *(_times(case, found) for found in (
                ours, [case.after[1]], [case.after[math.inf]],
                [case.after[0]])),
            '%.2f' % case.regret(weight)))
    return _csv((_HEAD, *rows))


def weights(cases: list[experiment.Case]) -> str:
    """Return the results of each weight over all guests, as CSV."""
    return _csv((
        ('Weight', 'total', 'degraded', 'ours / best: mean', 'worst'), *(
            ('%g' % weight,
             '%.2f' % statistics.fmean(seconds(cases, weight)),
             '%.2f' % statistics.fmean(degraded(cases, weight)),
             '%.2f' % statistics.fmean(
                 case.regret(weight) for case in cases),
             '%.2f' % max(case.regret(weight) for case in cases))
            for weight in experiment.WEIGHTS)))


def seconds(cases: list[experiment.Case], weight: float) -> list[float]:
    """Return the total time of each guest, in complete passes."""
    return [_mean(case, [found.seconds for found in case.ours[weight]])
            for case in cases]


def degraded(cases: list[experiment.Case], weight: float) -> list[float]:
    """Return the degraded time of each guest, in complete passes."""
    return [_mean(case, [found.degraded for found in case.ours[weight]])
            for case in cases]


def _mean(case: experiment.Case, values: list[float]) -> float:
    return statistics.fmean(values) / case.scale.complete_pass


def _times(case: experiment.Case, outcomes: list[world.Outcome]) -> str:
    if not all(outcome.ended for outcome in outcomes):
        return 'no end'
    return '%.2f (%.2f)' % (
        _mean(case, [outcome.seconds for outcome in outcomes]),
        _mean(case, [outcome.degraded for outcome in outcomes]))


def _csv(rows) -> str:
    table = io.StringIO()
    csv.writer(table, lineterminator='\n').writerows(rows)
    return table.getvalue()
