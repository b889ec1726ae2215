# SPDX-License-Identifier: Apache-2.0

"""``python -m lab.switching``: the experiment, its tables and pictures."""

import argparse
from collections.abc import Sequence
import pathlib

from lab import layout
from lab.switching import experiment
from lab.switching import guests
from lab.switching import picture
from lab.switching import report

_STATIC = layout.ROOT / 'doc' / 'source' / '_static'


def main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    cases = experiment.cases()
    _save(arguments.output / 'switching-weights.csv', report.weights(cases))
    for name, scale in zip(('small', 'large', 'huge'), guests.SCALES,
                           strict=True):
        print('\n' + scale.name)
        _save(arguments.output / ('switching-%s.csv' % name),
              report.comparison(
                  [case for case in cases if case.scale == scale],
                  experiment.DEFAULT_WEIGHT))
    for path in picture.draw(
            cases, experiment.growths(arguments.guests), arguments.output):
        print('Written: %s' % path)
    return 0


def _save(path: pathlib.Path, table: str) -> None:
    path.write_text(table)
    print('%s\nWritten: %s' % (table, path))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m lab.switching',
        description='Move guests of all kinds through a model of a '
        'migration, and compare when it is switched to post-copy. Takes some '
        'minutes; the same figures come out each time.')
    parser.add_argument(
        '--guests', type=int, default=300, metavar='N',
        help='taken by chance, for what a rule is worth '
        '(default: %(default)s)')
    parser.add_argument(
        '--output', type=pathlib.Path, default=_STATIC, metavar='DIR',
        help='where tables and pictures go (default: %(default)s)')
    return parser
