# SPDX-License-Identifier: Apache-2.0

"""``python doc/answers.py``: write the guide's table of the API's answers.

From the table by which the functional tests ask a simulated cloud. Run this
when that table has changed.
"""

import pathlib
import runpy
import typing

PROJECT = pathlib.Path(__file__).parents[1]
TABLE = PROJECT / 'tests' / 'functional' / 'answers.py'
PAGE = PROJECT / 'doc' / 'source' / 'answers.inc'


def cell(action: typing.Any, phase: str) -> str:
    """Return what a cell of the table says."""
    up, down = (action.answer(phase, is_up, is_reset=False).meaning
                for is_up in (True, False))
    return up if up == down else '%s; *down:* %s' % (up, down)


def render() -> str:
    """Return the table as reStructuredText."""
    table = runpy.run_path(str(TABLE))
    phases = list(table['Phase'])
    rows = [['Request', *('``%s``' % phase for phase in phases)]] + [
        [action.name, *(cell(action, phase) for phase in phases)]
        for action in table['ACTIONS']]
    lines = ['.. Written by "python doc/answers.py" from the tests\' table.',
             '', '.. list-table::', '   :header-rows: 1',
             '   :widths: 24 22 18 18 18', '']
    for row in rows:
        lines += ['   * - ' + row[0], *('     - ' + text for text in row[1:])]
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    PAGE.write_text(render())
