# SPDX-License-Identifier: Apache-2.0

import ast
from importlib import metadata
import os
import pathlib
import shutil
import subprocess
import sys
import sysconfig
import tempfile

import testtools

PROJECT = pathlib.Path(__file__).parents[2]


class TestDistribution(testtools.TestCase):
    """What is tested is what is installed, and it is complete."""

    def setUp(self):
        super().setUp()
        # Not from the source tree, where a build leaves metadata as well.
        self.distribution, = metadata.distributions(
            name='nova-post-copy', path=[sysconfig.get_path('purelib')])

    def test_packages_come_from_the_distribution(self):
        installed = {
            path.as_posix() for path in self.distribution.files
            if path.suffix == '.py' and '_post_copy' in path.parts[0]}
        packages = list(PROJECT.glob('*/*_post_copy'))
        source = {
            path.relative_to(package.parent).as_posix()
            for package in packages for path in package.rglob('*.py')}
        self.assertEqual(source, installed)
        for package in packages:
            self.assertEqual(
                self.distribution.locate_file(package.name + '/__init__.py'),
                pathlib.Path(__import__(package.name).__file__))

    def test_entry_points_load(self):
        for entry_point in self.distribution.entry_points:
            self.assertIsNotNone(entry_point.load(), entry_point)


class TestImports(testtools.TestCase):
    """What each package imports of the others, also within functions."""

    # Package, and the packages of ours that it stands on.
    STANDS_ON = {
        'nova_post_copy': set(),
        'client_post_copy': set(),
        'novaclient_post_copy': {'client_post_copy'},
        'openstackclient_post_copy': {'client_post_copy'},
        'horizon_post_copy': {'client_post_copy', 'novaclient_post_copy'},
    }

    def imports_of(self, package: pathlib.Path) -> set[str]:
        """Return the top-level packages that are imported anywhere in one."""
        names = set()
        for path in package.rglob('*.py'):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Import):
                    names.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom):
                    self.assertEqual(0, node.level, path)
                    names.add(node.module)
        return {name.partition('.')[0] for name in names}

    def test_sides_stand_on_what_is_named_here(self):
        packages = {package.name: self.imports_of(package)
                    for package in PROJECT.glob('*/*_post_copy')}
        self.assertEqual(self.STANDS_ON, {
            name: imports.intersection(packages) - {name}
            for name, imports in packages.items()})

    def test_clients_need_no_nova(self):
        for package in PROJECT.glob('*/*_post_copy'):
            if package.name != 'nova_post_copy':
                self.assertNotIn('nova', self.imports_of(package))

    def test_what_the_clients_share_needs_the_standard_library_alone(self):
        self.assertLessEqual(
            self.imports_of(PROJECT / 'client' / 'client_post_copy'),
            sys.stdlib_module_names | {'client_post_copy'})


class TestExtras(testtools.TestCase):
    """Each extra alone, in a clean environment, from the wheel."""

    # Extra, and the distribution of upstream that it is for.
    SIDES = {
        'nova': 'nova',
        'novaclient': 'python-novaclient',
        'openstackclient': 'python-openstackclient',
        'horizon': 'horizon',
    }
    # Horizon itself is a client of Nova.
    NEEDED_BY_UPSTREAM = {'horizon': {'python-novaclient'}}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        directory = tempfile.TemporaryDirectory()
        cls.addClassCleanup(directory.cleanup)
        cls.tmp = pathlib.Path(directory.name)
        # A build writes into the tree, where another may be going on.
        source = cls.tmp / 'source'
        shutil.copytree(PROJECT, source, ignore=shutil.ignore_patterns(
            '.*', 'build', 'dist', '*.egg-info'))
        cls.uv('build', '--quiet', '--wheel', '--out-dir', cls.tmp, source)
        cls.wheel, = cls.tmp.glob('*.whl')

    @classmethod
    def uv(cls, *arguments) -> str:
        return cls.run_command(sys.executable, '-m', 'uv', *arguments)

    @classmethod
    def run_command(cls, *command) -> str:
        return subprocess.run(
            command, cwd=cls.tmp, text=True, check=True,
            stdout=subprocess.PIPE,
            env={name: value for name, value in os.environ.items()
                 if name not in ('PYTHONPATH', 'VIRTUAL_ENV')}).stdout

    def resolve(self, extra: str) -> set[str]:
        """Return the names of what an empty environment would get."""
        requirements = self.tmp / 'requirements.in'
        requirements.write_text('nova-post-copy[%s] @ %s\n' % (
            extra, self.wheel.as_uri()))
        lines = self.uv('pip', 'compile', '--quiet', '--no-header',
                        '--no-annotate', requirements).splitlines()
        return {line.replace('@', '==').partition('==')[0].strip()
                for line in lines}

    def test_no_side_pulls_in_another(self):
        for extra, upstream in self.SIDES.items():
            names = self.resolve(extra)
            self.assertLessEqual({'nova-post-copy', upstream}, names)
            self.assertEqual(
                self.NEEDED_BY_UPSTREAM.get(extra, set()),
                names.intersection(self.SIDES.values()) - {upstream})

    def test_commands_of_the_clients(self):
        """What a user installs on a laptop does what it is there for."""
        for extra, command in (
            ('novaclient', ('nova', 'help', 'live-migration')),
            ('openstackclient', ('openstack', 'help', 'server', 'migrate')),
        ):
            environment = self.tmp / extra
            self.uv('venv', '--quiet', '--python', sys.executable,
                    environment)
            self.uv('pip', 'install', '--quiet', '--python', environment,
                    '%s[%s]' % (self.wheel, extra))
            program, *arguments = command
            text = self.run_command(environment / 'bin' / program, *arguments)
            self.assertIn('--post-copy', text)
