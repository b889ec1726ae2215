# SPDX-License-Identifier: Apache-2.0

"""What is written in the documents, and the tree that they write about."""

import pathlib
import re

PROJECT = pathlib.Path(__file__).parents[2]
SOURCE = PROJECT / 'doc' / 'source'
# Where the files of ours are; everything else is made by a build or a run.
FOLDERS = ('.ci', 'api-ref', 'client', 'doc', 'horizon', 'lab', 'nova',
           'novaclient', 'openstackclient', 'releasenotes', 'tests')
PACKAGES = tuple(sorted(PROJECT.glob('*/*_post_copy')))

_ROLE = re.compile(r':(?:mod|class|func|data|meth):`~?(\.?[a-z][\w.]*)`')


class Page:
    """One document, with white space folded: a literal may be wrapped."""

    def __init__(self, path: pathlib.Path) -> None:
        self.name = path.relative_to(PROJECT).as_posix()
        self.source = path.read_text()
        self.text = ' '.join(self.source.split())
        self._quote = '`' if path.suffix == '.md' else '``'

    def literals(self) -> list[str]:
        """Return what stands in quotation marks of code."""
        # Not a code block of Markdown, whose marks are three.
        text = re.sub(r'```.*?```', '', self.text)
        return re.findall(r'(?<!`)%s([^`]+)%s(?!`)' % (
            self._quote, self._quote), text)

    def emphasised(self) -> list[str]:
        """Return what stands between asterisks."""
        # Neither bold nor the bullets of a list.
        text = re.sub(r'``[^`]+``', '', ' '.join(
            re.sub(r'^( *)[*] ', r'\1', self.source, flags=re.M).split()))
        return re.findall(r'(?<![*\w])\*([^* ][^*]*)\*(?![*\w])', text)

    def terms(self) -> list[str]:
        """Return the literals that have a line of their own."""
        return re.findall(r'^``([^`\n]+)``$', self.source, re.M)

    def found(self, expression: str) -> list:
        """Return what ``re.findall`` finds."""
        return re.findall(expression, self.text)


def pages() -> list[Page]:
    """Return all guides, also those at the root of the project."""
    guides = [*SOURCE.glob('*.rst'), *PROJECT.glob('*.md'),
              *PROJECT.glob('*.rst')]
    return [Page(path) for path in sorted(guides)]


def has_test(name: str) -> bool:
    """Tell whether a module, class or method of tests exists.

    :param name: with dots, from ``tests`` on
    """
    parts = name.split('.')
    while parts and not PROJECT.joinpath(*parts).with_suffix(
            '.py').is_file() and not PROJECT.joinpath(*parts).is_dir():
        parts.pop()
    rest = name.split('.')[len(parts):]
    path = PROJECT.joinpath(*parts)
    if path.is_dir():
        return not rest
    source = path.with_suffix('.py').read_text()
    return all(re.search(r'\b(class|def) %s\b' % each, source)
               for each in rest)


def files() -> set[str]:
    """Return the paths of our files and folders, from the root."""
    found = {path.name for path in PROJECT.iterdir() if path.is_file()}
    for name in FOLDERS:
        found.update(path.relative_to(PROJECT).as_posix()
                     for path in (PROJECT / name).rglob('*'))
    return found | set(FOLDERS)


def modules() -> list[pathlib.Path]:
    """Return our Python files."""
    folders = [*PACKAGES, PROJECT / 'lab', PROJECT / 'tests']
    return [path for folder in folders for path in folder.rglob('*.py')]


def knows(dotted: str) -> bool:
    """Tell whether a dotted name of ours is a module, or something in one."""
    names = dotted.split('.')
    root = next((package.parent for package in PACKAGES
                 if package.name == names[0]), PROJECT)
    for length in range(len(names), 0, -1):
        path = root.joinpath(*names[:length])
        inside = names[length:]
        if path.is_dir() and not inside:
            return True
        module = (path / '__init__.py' if path.is_dir()
                  else path.with_suffix('.py'))
        if module.is_file():
            return all(re.search(r'\b(class|def) %s\b|^\s*%s\b[:\w\[\], |]* ='
                                 % (name, name), module.read_text(), re.M)
                       for name in inside)
    return False


def references(path: pathlib.Path) -> list[str]:
    """Return the full names that the docstrings of a module refer to."""
    package = path.parent.relative_to(
        next((found.parent for found in PACKAGES if found in path.parents),
             PROJECT)).as_posix().replace('/', '.')
    names = (package + name if name.startswith('.') else name
             for name in _ROLE.findall(path.read_text()))
    ours = {'lab', 'tests', *(found.name for found in PACKAGES)}
    return [name for name in names if name.partition('.')[0] in ours]


def messages() -> str:
    """Return the texts in our code, each value in them as a number sign."""
    source = '\n'.join(path.read_text() for package in PACKAGES
                       for path in sorted(package.rglob('*.py')))
    joined = re.sub(r"'\s*\n\s*'", '', source)
    return re.sub(r'%(\(\w+\))?[\d.]*[sdf]', '#', ' '.join(joined.split()))
