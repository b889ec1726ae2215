# SPDX-License-Identifier: Apache-2.0

"""What the bench and the faults leave: JSON, and tables of the guides."""

from collections.abc import Sequence
import json
import pathlib

from lab import layout

#: of the documentation
SOURCE = layout.ROOT / 'doc' / 'source'


def save_json(path: pathlib.Path, content: dict,
              sort_keys: bool = False) -> None:
    """Write a file; one that is there is replaced at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    partial.write_text(
        json.dumps(content, indent=1, sort_keys=sort_keys) + '\n')
    partial.replace(path)


def table(rows: Sequence[Sequence[str]], *options: str,
          title: str = '') -> str:
    """Lay rows out as a list-table of reStructuredText.

    :param options: of the directive, like ``:header-rows: 1``
    """
    lines = [('.. list-table:: ' + title).rstrip(),
             *('   ' + option for option in options), '']
    for row in rows:
        for number, cell in enumerate(row):
            lines.append('   %s - %s' % (' ' if number else '*', cell))
    return '\n'.join(lines)
