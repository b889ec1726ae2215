# SPDX-License-Identifier: Apache-2.0

"""The table has all that our sources touch of upstream's, and no more.

Found by reading the sources: private attributes, assignments to what was
imported, and what our classes have in common with their upstream bases.
"""

import ast
import collections
import importlib
import inspect
import itertools
import pathlib

import testtools

import nova_post_copy
from nova_post_copy.seams import __main__ as page
from nova_post_copy.seams import check
from nova_post_copy.seams.seam import Kind

SEAMS = list(itertools.chain(*check.TABLE.values()))
ROOT = pathlib.Path(nova_post_copy.__file__).parent
PAGE = (pathlib.Path(__file__).parents[4] /
        'doc' / 'source' / 'seams.inc')

# What named tuples have, whose fields have no such names.
NAMED_TUPLE = {'_asdict', '_fields', '_make', '_replace'}
# Classes that others are put together with.
MIXED = {'nova_post_copy.virt.libvirt.guard.Guard':
         'nova_post_copy.virt.libvirt.driver.LibvirtDriver',
         'nova_post_copy.compute.arrivals.Arrivals':
         'nova_post_copy.compute.manager.ComputeManager',
         'nova_post_copy.compute.last_steps.LastSteps':
         'nova_post_copy.compute.manager.ComputeManager'}
# Called by position, so our names of the parameters do not matter.
BY_POSITION = {'Migration._from_db_object', 'UpgradeCommands._get_details'}


def _name(path):
    return '.'.join(path.relative_to(ROOT).with_suffix('').parts)


# By the name below nova_post_copy.
SOURCES = {_name(path): ast.parse(path.read_text())
           for path in sorted(ROOT.rglob('*.py'))
           if not path.name.startswith('__') and path.parent.name != 'seams'}


def _module(name):
    return importlib.import_module('nova_post_copy.' + name)


def _is_private(name):
    return name.startswith('_') and not name.startswith('__') and name != '_'


def _last(name):
    return name.rpartition('.')[2]


def _by(seam):
    return seam.ours.split(', ')


def _defined(tree):
    """Names that a module defines: of itself, its classes and instances."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield node.name
        elif isinstance(node, ast.Attribute):
            if (isinstance(node.ctx, ast.Store) and
                    isinstance(node.value, ast.Name) and
                    node.value.id == 'self'):
                yield node.attr
    for scope in (tree, *_classes(tree)):
        yield from _assigned_in(scope)


def _classes(tree):
    return [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]


def _assigned_in(scope):
    for statement in scope.body:
        targets = getattr(statement, 'targets',
                          [getattr(statement, 'target', None)])
        for target in targets:
            if isinstance(target, ast.Name):
                yield target.id


def _imported(nodes):
    """Return what was imported from upstream, by our names for it."""
    return {
        alias.asname or alias.name: f'{node.module}.{alias.name}'
        for node in nodes if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if not node.module.startswith('nova_post_copy')}


def _assigned(tree):
    """Return the upstream names to which a module assigns."""
    for statement in tree.body:
        imported = _imported([*tree.body, *ast.walk(statement)])
        for node in ast.walk(statement):
            if (isinstance(node, (ast.Attribute, ast.Subscript)) and
                    isinstance(node.ctx, ast.Store)):
                dotted = ast.unparse(node).partition('[')[0]
                root, _dot, rest = dotted.partition('.')
                if root in imported:
                    yield f'{imported[root]}.{rest}'


def _overridden(name, tree):
    """What classes of a module have in common with their upstream bases."""
    for node in _classes(tree):
        of_class = getattr(_module(name), node.name)
        whole = MIXED.get(f'{of_class.__module__}.{node.name}')
        if whole is not None:
            module, _dot, attribute = whole.rpartition('.')
            mro = inspect.getmro(
                getattr(importlib.import_module(module), attribute))
            bases = mro[mro.index(of_class) + 1:]
        else:
            bases = inspect.getmro(of_class)[1:]
        upstream = [base for base in bases
                    if _is_upstream(base.__module__)]
        names = set(_assigned_in(node)) | {
            each.name for each in node.body
            if isinstance(each, ast.FunctionDef)}
        for attribute in names:
            if attribute.startswith('__') and attribute != '__init__':
                continue
            if any(attribute in vars(base) for base in upstream):
                yield of_class, attribute


def _is_upstream(module):
    return module.partition('.')[0] in (
        'nova', 'oslo_config', 'oslo_upgradecheck')


class TestTable(testtools.TestCase):

    def _missing(self, found):
        """Those of (our module, last part of a name) that have no seam."""
        known = {(by, _last(seam.name)) for seam in SEAMS
                 for by in _by(seam)}
        return sorted(set(found) - known)

    def test_private_names(self):
        found = {
            (name, node.attr)
            for name, tree in SOURCES.items()
            for defined in [set(_defined(tree)) | NAMED_TUPLE]
            for node in ast.walk(tree) if isinstance(node, ast.Attribute)
            if _is_private(node.attr) and node.attr not in defined}
        self.assertIn(('compute.closing', '_revert_allocation'), found)
        self.assertEqual([], self._missing(found))

    def test_private_imports(self):
        self.assertEqual([], self._missing(
            (name, _last(dotted)) for name, tree in SOURCES.items()
            for dotted in _imported(ast.walk(tree)).values()
            if any(map(_is_private, dotted.split('.')))))

    def test_overridden(self):
        found = {(name, attribute) for name, tree in SOURCES.items()
                 for _class, attribute in _overridden(name, tree)}
        for expected in (('virt.libvirt.guard', 'rescue'),
                         ('objects.migration', 'fields'),
                         ('compute.manager', '__init__')):
            self.assertIn(expected, found)
        self.assertEqual([], self._missing(found))

    def test_assigned(self):
        found = {(name, dotted) for name, tree in SOURCES.items()
                 for dotted in _assigned(tree)}
        known = {(by, f'{seam.module}.{seam.name}') for seam in SEAMS
                 for by in _by(seam)
                 if seam.kind in (Kind.ASSIGNS, Kind.WRAPS)}
        # A new attribute: the seam is the class that gets it.
        found.remove(('activate', 'nova.db.main.models.Migration.post_copy'))
        self.assertIn(('activate', 'nova.service.SERVICE_MANAGERS'), found)
        self.assertEqual([], sorted(found - known))

    def test_nothing_is_out_of_date(self):
        sources = {name: ast.unparse(tree) for name, tree in SOURCES.items()}
        self.assertEqual([], [
            f'{seam} in {by}' for seam in SEAMS for by in _by(seam)
            if _last(seam.name) not in sources.get(by, '')])

    def test_each_is_there_once(self):
        times = collections.Counter(
            (part, seam.module, seam.name)
            for part, seams in check.TABLE.items() for seam in seams)
        self.assertEqual(
            [], [seam for seam, count in times.items() if count > 1])

    def test_ours_takes_what_upstream_hands_over(self):
        for name, tree in SOURCES.items():
            for of_class, attribute in _overridden(name, tree):
                seam = next(
                    (seam for seam in SEAMS if name in _by(seam)
                     and _last(seam.name) == attribute
                     and seam.kind is Kind.OVERRIDES), None)
                if seam is None or seam.signature is None:
                    continue
                with self.subTest(seam=str(seam)):
                    self._takes(of_class, attribute, seam)

    def _takes(self, of_class, attribute, seam):
        ours = check.parameters(
            of_class, attribute, getattr(of_class, attribute))
        theirs = seam.signature.split(', ') if seam.signature else []
        if '*args' in ours:
            theirs = theirs[:ours.index('*args')]
            ours = ours[:ours.index('*args')]
        # We may have more, as long as nobody has to pass it.
        ours, more = ours[:len(theirs)], ours[len(theirs):]
        self.assertEqual([], [each for each in more
                              if not each.endswith('=')])
        if seam.name in BY_POSITION:
            self.assertEqual(len(theirs), len(ours))
        else:
            self.assertEqual(theirs, ours)


class TestPage(testtools.TestCase):

    def test_is_up_to_date(self):
        self.assertEqual(page.page(), PAGE.read_text())
