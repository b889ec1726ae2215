# SPDX-License-Identifier: Apache-2.0

"""Decisions are pure: no libvirt, no clock, no configuration, no log."""

import ast
import pathlib
import sys

from nova import test

from nova_post_copy import decisions

_FOLDER = pathlib.Path(decisions.__file__).parent
_ALLOWED = ('nova.i18n', 'nova_post_copy.decisions')
# Of the standard library, what knows more than its arguments.
_IMPURE = {'datetime', 'io', 'logging', 'os', 'pathlib', 'random', 'socket',
           'subprocess', 'threading', 'time'}


def imports(source: str) -> set[str]:
    """Return the modules that a source imports."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module)
    return found


def is_pure(module: str) -> bool:
    root = module.split('.')[0]
    return module.startswith(_ALLOWED) or (
        root in sys.stdlib_module_names and root not in _IMPURE)


class TestPure(test.NoDBTestCase):

    def test_imports(self):
        for path in _FOLDER.glob('*.py'):
            for module in imports(path.read_text()):
                self.assertTrue(is_pure(module), '%s imports %s' % (
                    path.name, module))

    def test_what_is_not_pure(self):
        for line in ('import time', 'from nova import context',
                     'from oslo_log import log', 'import libvirt'):
            self.assertFalse(all(map(is_pure, imports(line))), line)
