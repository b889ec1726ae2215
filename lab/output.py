# SPDX-License-Identifier: Apache-2.0

"""What the lab leaves: JSON, columns of text, and tables of the guides."""

from collections.abc import Sequence
import json
import pathlib

from lab import layout

#: of the documentation
SOURCE = layout.ROOT / 'doc' / 'source'


def save_json(path: pathlib.Path, content: dict[str, object],
              sort_keys: bool = False) -> None:
    """Write a file; one that is there is replaced at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix('.partial')
    partial.write_text(
        json.dumps(content, indent=1, sort_keys=sort_keys) + '\n')
    partial.replace(path)


def columns(rows: Sequence[Sequence[str]], align: str = '<') -> str:
    """Lay rows out as text, a line each.

    :param align: of each column but the first, which begins at the left;
        '<' or '>', as :func:`format` has it
    """
    first, *others = (max(map(len, cells)) for cells in zip(*rows))
    forms = ['<%d' % first, *('%s%d' % (align, width) for width in others)]
    return '\n'.join('  '.join(map(format, row, forms)).rstrip()
                     for row in rows)


def table(rows: Sequence[Sequence[str]], *options: str,
          title: str = '') -> str:
    """Lay rows out as a list-table of reStructuredText.

    :param options: of the directive, like ``:header-rows: 1``
    """
    lines = [('.. list-table:: ' + title).rstrip(),
             *('   ' + option for option in options), '']
    for row in rows:
        for number, cell in enumerate(row):
            lines.append(
                ('   %s - %s' % (' ' if number else '*', cell)).rstrip())
    return '\n'.join(lines)
