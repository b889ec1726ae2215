# SPDX-License-Identifier: Apache-2.0

"""``python -m lab.bench.page FOLDER``: the documentation's figures.

Writes ``doc/source/performance.inc`` from the ``bench.json`` of a folder, and
takes the picture along. So no figure of the page is typed by hand.
"""

from collections.abc import Sequence
import pathlib
import shutil
import sys

from lab.bench import costs
from lab.bench import guests
from lab.bench import picture
from lab.bench import report
from lab.bench import result
from lab.bench import summary
from lab import output


def render(bench: result.Bench) -> str:
    """Return what the page includes, as reStructuredText."""
    parts = ['.. Written by "python -m lab.bench.page" from bench.json.',
             _conditions(bench.conditions)]
    for guest in guests.GUESTS.values():
        if rows := report.rows(bench, guest.name):
            # A column for each way: there are more figures than ways.
            parts.append(_table(guest.title.capitalize(),
                                list(zip(report.HEADS, *rows))))
    parts += [_table(title, rows) for title, rows in costs.tables(bench)]
    parts.append('\n'.join('* %s%s' % (
        '' if goal.passed else '**Missed:** ', goal.sentence)
        for goal in summary.goals(bench) + costs.goals(bench)))
    return '\n\n'.join(parts) + '\n'


def _conditions(conditions: dict) -> str:
    rows = [('command', '``%s``' % conditions['command']),
            ('seed', str(conditions['seed'])),
            ('date', conditions['date']),
            ('RAM of a guest', '%d MiB, of which %d MiB are not zero' % (
                conditions['memory'] >> 20, conditions['filled'] >> 20)),
            ('between the hosts',
             '%d MiB/s' % (conditions['bandwidth'] >> 20)),
            ('virsh', '``%s``' % conditions['virsh'])]
    for name in ('machine', 'versions'):
        rows.append((name, '; '.join('%s: %s' % item for item in sorted(
            conditions[name].items()))))
    return _table('Conditions', rows, heads=0)


def _table(title: str, rows: Sequence[Sequence[str]], heads: int = 1) -> str:
    return output.table(rows, ':header-rows: %d' % heads, ':stub-columns: 1',
                        title=title)


def write(folder: pathlib.Path, source: pathlib.Path) -> None:
    """Bring the page up to date.

    :param folder: with a ``bench.json``
    :param source: of the documentation
    :raises FileNotFoundError: there is none
    """
    bench = result.load(folder / result.NAME)
    (source / 'performance.inc').write_text(render(bench))
    picture.draw(bench, source / '_static')
    shutil.copy(folder / result.NAME, source / '_static')


if __name__ == '__main__':
    write(pathlib.Path(sys.argv[1]), output.SOURCE)
