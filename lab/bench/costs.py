# SPDX-License-Identifier: Apache-2.0

"""How costs grow: tables and goals of what :class:`.result.Bench` has on it.

Pure, as :mod:`.summary` and :mod:`.report` are for the runs.
"""

from collections.abc import Sequence

from lab.bench import modes
from lab.bench import result
from lab.bench import summary

# At most so much more may a request cost at our microversion.
API_RATIO = 1.05
# At most so much more may one of many migrations cost than one of a few.
MONITOR_RATIO = 1.2
FEW = 10

Table = tuple[str, list[Sequence[str]]]     # title; heads, and rows


def tables(bench: result.Bench) -> list[Table]:
    """Return a table for each thing that was measured."""
    found = []
    if bench.network:
        found.append(('How long a server with a port is silent',
                      _network(bench.network)))
    for name, title, rows in (
            ('tail', 'From the last page to completed', _tail),
            ('evacuation', 'Emptying a host', _evacuation),
            ('api', 'Requests', _api),
            ('monitors', 'Watching many migrations', monitors)):
        if name in bench.costs:
            found.append((title, rows(bench.costs[name])))
    return found


def goals(bench: result.Bench) -> list[summary.Goal]:
    """Judge what may cost how much."""
    found = []
    if api := bench.costs.get('api'):
        found += [summary.Goal(each['ratio'] <= API_RATIO, (
            '%s takes %.2f times as long at %s as at %s, at most %.2f is '
            'wanted.' % (each['request'], each['ratio'], api['ours'],
                         api['below'], API_RATIO)))
                  for each in api['requests']]
    if watched := bench.costs.get('monitors'):
        found.append(_linear(watched['runs']))
    return found


def _linear(runs: Sequence[dict]) -> summary.Goal:
    """Judge whether many monitors cost no more for each than ten."""
    few = next(run for run in runs if run['migrations'] >= FEW)
    many = max(runs, key=lambda run: run['migrations'])
    ratio = _for_each(many, 'cpu') / _for_each(few, 'cpu')
    return summary.Goal(ratio <= MONITOR_RATIO, (
        'Of %d migrations, each takes %.2f times the processor of one of %d, '
        'at most %.2f is wanted.' % (many['migrations'], ratio,
                                     few['migrations'], MONITOR_RATIO)))


def _for_each(run: dict, what: str) -> float:
    """Return what one migration takes, per second."""
    return run[what] / run['seconds'] / run['migrations']


def _network(runs: Sequence[result.Run]) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        ('way', 'runs', 'longest silence', 'answers lost', 'degraded')]
    for mode in modes.MODES.values():
        seen = [run for run in runs if run.mode == mode.name]
        if seen:
            rows.append((mode.title, str(len(seen)), *(
                summary.cell(summary.Spread.of(
                    value for run in seen
                    if (value := getattr(run, name)) is not None),
                    summary.seconds)
                for name in ('silence', 'lost_work', 'degraded'))))
    return rows


def _tail(seen: dict) -> list[Sequence[str]]:
    rows: list[Sequence[str]] = [
        ('watched by', 'migrations', 'the source knows',
         'the destination takes over', 'completed')]
    for ours, watcher in ((False, 'upstream'), (True, 'nova-post-copy')):
        found = [each for each in seen['migrations'] if each['ours'] is ours]
        if found:
            rows.append((watcher, str(len(found)), *(
                summary.cell(summary.Spread.of(
                    each[name] for each in found), summary.seconds)
                for name in ('noticed', 'handed_over', 'completed'))))
    return rows


def _evacuation(seen: dict) -> list[Sequence[str]]:
    return [('servers', 'at a time', 'total', 'RAM / bandwidth',
             'total / (RAM / bandwidth)', 'slowest migration',
             'longest silence'), *(
        (str(run['servers']), str(run['concurrent']),
         summary.seconds(run['total']), summary.seconds(run['ideal']),
         '%.2f' % (run['total'] / run['ideal']),
         summary.seconds(run['slowest']), summary.seconds(run['silence']))
        for run in sorted(seen['runs'], key=lambda run: (
            run['concurrent'], run['servers'])))]


def _api(seen: dict) -> list[Sequence[str]]:
    return [('request', 'at %s' % seen['below'], 'at %s' % seen['ours'],
             'ratio'), *(
        (each['request'], '%.1f ms' % (1000 * each['below']),
         '%.1f ms' % (1000 * each['ours']), '%.3f' % each['ratio'])
        for each in seen['requests'])]


def monitors(seen: dict) -> list[Sequence[str]]:
    """Return the rows of the table: what each migration costs per second."""
    return [('migrations', 'processor', 'processor for each',
             'wake-ups for each', 'records of progress for each'), *(
        (str(run['migrations']),
         '%.1f %%' % (100 * run['cpu'] / run['seconds']), *(
             form % _for_each(run, name) for name, form in (
                 ('cpu', '%.2e s/s'), ('wakes', '%.2f /s'),
                 ('saved', '%.2f /s'))))
        for run in seen['runs'])]
