# SPDX-License-Identifier: Apache-2.0

"""Show the table of seams, or check it against the installed Nova::

    python -m nova_post_copy.seams > doc/source/seams.inc
    python -m nova_post_copy.seams check

The check exits with status 1 if a seam does not fit.
"""

import sys

from nova_post_copy.seams import check
from nova_post_copy.seams.seam import Part
from nova_post_copy.seams.seam import Seam


def page() -> str:
    """Return the table as reStructuredText."""
    lines = ['.. Written by "python -m nova_post_copy.seams"', '']
    for part, seams in check.TABLE.items():
        lines += [*_heading(part), '.. list-table::', '   :header-rows: 1',
                  '   :widths: 50 10 20 20', '', '   * - Upstream name',
                  '     - Kind', '     - By', '     - Why']
        for seam in seams:
            lines += _row(seam)
        lines.append('')
    return '\n'.join(lines)


def _heading(part: Part) -> list[str]:
    title = part.value[0].upper() + part.value[1:]
    return [title, '-' * len(title), '']


def _row(seam: Seam) -> list[str]:
    return [f'   * - ``{seam}``', f'     - {seam.kind.value}',
            f'     - {seam.ours}', f'     - {seam.why}']


def report() -> int:
    """Print the seams that do not fit; return the exit status."""
    # As a service does. Modules of Nova use the classes of nova.objects
    # while they are imported.
    from nova import monkey_patch
    monkey_patch.patch(backend='threading')
    from nova import objects
    objects.register_all()
    import nova.version

    found = [(part, problem) for part in check.TABLE
             for problem in check.problems(part)]
    for part, problem in found:
        print(f'{part.value}: {problem}')
    print('Nova %s: %d of %d seams do not fit' % (
        nova.version.version_string(), len(found),
        sum(map(len, check.TABLE.values()))))
    return 1 if found else 0


if __name__ == '__main__':
    if sys.argv[1:] == ['check']:
        sys.exit(report())
    print(page(), end='')
