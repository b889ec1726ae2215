# SPDX-License-Identifier: Apache-2.0

"""``python -m lab.faults.page FOLDER``: what the documentation says of faults.

Writes ``doc/source/faults.inc`` from the files of a folder, so that no figure
of it is typed by hand. ``faults.json`` has to be there; what was drawn, and
what upstream's driver does, is added where it is.
"""

import json
import pathlib
import re
import sys

from lab.faults import report
from lab import output

_HEADS = ('What happens', 'Silent', 'Beyond the cut', 'Recovery',
          'The records', "Upstream's driver")


def render(ours: dict, upstream: dict | None = None,
           drawn: dict | None = None) -> str:
    """Return what the page includes, as reStructuredText.

    :param ours: what :func:`lab.faults.report.save` has written
    :param upstream: the same of cases against upstream's driver
    :param drawn: the same of a randomised run
    """
    theirs = {(result['case'], result['seed']): _verdict(result)
              for result in (upstream or {'results': []})['results']}
    parts = ['.. Written by "python -m lab.faults.page" from faults.json.',
             _sentence('The cases that have a name', ours)]
    if drawn:
        parts.append(_sentence('Faults and moments that were drawn', drawn))
    parts.append(output.table(
        (_HEADS, *(_row(result, theirs) for result in ours['results'])),
        ':header-rows: 1', ':widths: 30 9 9 9 18 25'))
    return '\n\n'.join(parts) + '\n'


def _sentence(what: str, run: dict) -> str:
    return '%s: %d, of which %d violated one of the rules.' % (
        what, run['cases'], run['violated'])


def _row(result: dict, theirs: dict[tuple[str, int], str]) -> tuple[str, ...]:
    return ('%s (``%s``)' % (result['description'], result['case']),
            report.seconds(result['blackout_seconds']),
            report.seconds(result['blackout_beyond_cuts_seconds']),
            report.seconds(result['recovery_seconds']),
            result['records'] if not result['violations']
            else '**%s**' % _verdict(result),
            theirs.get((result['case'], result['seed']), ''))


def _verdict(result: dict) -> str:
    # What a service has answered may have any characters.
    return re.sub(r'([\\*`|_])', r'\\\1',
                  ' '.join('; '.join(result['violations']).split())) or 'ok'


def write(folder: pathlib.Path, source: pathlib.Path) -> None:
    """Bring the page up to date.

    :param folder: with a ``faults.json``
    :param source: of the documentation
    :raises FileNotFoundError: there is none
    """
    ours = json.loads((folder / report.name(None, False)).read_text())
    (source / 'faults.inc').write_text(render(
        ours, upstream=_load(folder / report.name(None, True)),
        drawn=_load(folder / report.name('random', False))))


def _load(path: pathlib.Path) -> dict | None:
    return json.loads(path.read_text()) if path.exists() else None


if __name__ == '__main__':
    write(pathlib.Path(sys.argv[1]), output.SOURCE)
