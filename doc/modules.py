# SPDX-License-Identifier: Apache-2.0

"""``python doc/modules.py``: write the contributor guide's table of modules.

Each module's line in ``doc/source/modules.inc`` is the first sentence of its
docstring. Run this when a module was added, moved or removed, or when that
sentence has changed.
"""

import ast
from collections.abc import Iterator
import pathlib
import re

PROJECT = pathlib.Path(__file__).parents[1]
PAGE = PROJECT / 'doc' / 'source' / 'modules.inc'
_ROLE = re.compile(r':[a-z]+:`~?\.?([^`]+)`')
_SENTENCE = re.compile(r'.*?[.?!](?=\s|$)|.*')


def folders() -> list[pathlib.Path]:
    """Return the folders of the import packages, Nova's side first."""
    sides = sorted(PROJECT.glob('*/*_post_copy'),
                   key=lambda folder: (folder.parent.name != 'nova', folder))
    return [*sides, PROJECT / 'lab']


def modules(folder: pathlib.Path) -> Iterator[pathlib.Path]:
    """Return the modules below a folder: its own, then those of each room."""
    own = (path for path in folder.glob('*.py')
           if path.name not in ('__init__.py', '__main__.py'))
    yield from sorted(own)
    for room in sorted(path for path in folder.iterdir() if path.is_dir()):
        yield from modules(room)


def first_sentence(path: pathlib.Path) -> str:
    """Return what a module says of itself.

    :raises ValueError: it has no docstring
    """
    docstring = ast.get_docstring(ast.parse(path.read_text()))
    if docstring is None:
        raise ValueError('%s has no docstring' % path)
    paragraph = ' '.join(docstring.partition('\n\n')[0].split())
    sentence = _SENTENCE.match(_ROLE.sub(r'``\1``', paragraph))[0]
    return sentence.removesuffix('.').removesuffix(':')


def render() -> str:
    """Return the tables as reStructuredText."""
    parts = ['.. Written by "python doc/modules.py" from the docstrings.\n']
    for folder in folders():
        rows = [(path.relative_to(folder).as_posix(), first_sentence(path))
                for path in modules(folder)]
        parts.append('.. list-table:: %s/\n   :widths: 35 65\n'
                     % folder.relative_to(PROJECT).as_posix())
        parts.append('\n'.join(
            '   * - ``%s``\n     - %s' % row for row in rows) + '\n')
    return '\n'.join(parts)


if __name__ == '__main__':
    PAGE.write_text(render())
