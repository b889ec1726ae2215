# SPDX-License-Identifier: Apache-2.0

"""What the documents name is there: paths, options, commands, messages."""

import configparser
import pathlib
import re
import runpy

import nova.conf
from nova import policies as upstream_policies
import testtools

from lab.faults import matrix
from nova_post_copy.api import microversion
from nova_post_copy import conf as post_copy_conf
from nova_post_copy import events
from nova_post_copy import instance_fault
from nova_post_copy import notifications
from nova_post_copy import policies
from nova_post_copy import traits
from tests.unit import pages
from tests.upstream import expected

PROJECT = pages.PROJECT
# Where the options of each command are; some of these modules need libvirt.
COMMANDS = {'demo': 'lab/demo/command.py', 'faults': 'lab/faults/command.py',
            'bench': 'lab/bench/command.py', 'lab': 'lab/cli.py',
            'test': 'run'}
# The pages that quote messages in italics, and from how many words on.
QUOTING = ('failure.rst', 'troubleshooting.rst', 'user.rst')
QUOTED_WORDS = 4
_NUMBER = re.compile(r'\d+(\.\d+)?')


class TestDocuments(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.pages = pages.pages()
        post_copy_conf.register_opts(nova.conf.CONF)

    def each(self, expression: str):
        """Find something on every page, and at least once in all."""
        found = [(page.name, match) for page in self.pages
                 for match in page.found(expression)]
        self.assertNotEqual([], found)
        return found

    def assertAll(self, wrong: list) -> None:
        self.assertEqual([], wrong)

    def test_paths(self):
        files = pages.files()
        ends = {file[start:] for file in files
                for start in [0, *(at.end() for at in re.finditer('/', file))]}
        literals = [(page.name, literal) for page in self.pages
                    for literal in page.literals()
                    if re.fullmatch(r'[\w.-]+(/[\w.-]+)*/?', literal)]
        ours = [(name, path) for name, path in literals
                if path.endswith(('.py', '.rst', '.inc'))
                or '/' in path and path.partition('/')[0] in pages.FOLDERS]
        self.assertNotEqual([], ours)
        self.assertAll([(name, path) for name, path in ours
                        if path.rstrip('/') not in ends])

    def test_links(self):
        links = [(page.name, link) for page in self.pages for link in
                 re.findall(r'\]\(([^)#]+)(?:#[^)]*)?\)', page.text)
                 if '://' not in link]
        self.assertNotEqual([], links)
        self.assertAll([link for link in links
                        if not (PROJECT / link[1]).exists()])

    def test_modules(self):
        names = self.each(
            r'\b((?:(?:nova|client|novaclient|openstackclient|horizon)'
            r'_post_copy|lab|tests)(?:\.[a-z]\w*)+)')
        self.assertAll([
            (page, name) for page, name in names
            if not name.endswith(('.py', '.rst', '.conf', '.yaml'))
            and not pages.knows(name)])

    def test_references_of_docstrings(self):
        self.assertAll([
            (path.relative_to(PROJECT).as_posix(), name)
            for path in pages.modules() for name in pages.references(path)
            if not pages.knows(name)])

    def test_every_room_is_named(self):
        guide = pages.Page(pages.SOURCE / 'contributor.rst')
        folders = [*pages.PACKAGES, PROJECT / 'lab']
        rooms = {path.parent.relative_to(PROJECT).as_posix() + '/'
                 for folder in folders for path in folder.rglob('*.py')}
        self.assertAll(sorted(rooms - set(guide.literals())))

    def test_every_module_is_named(self):
        generator = runpy.run_path(str(PROJECT / 'doc' / 'modules.py'))
        self.assertEqual(generator['render'](),
                         generator['PAGE'].read_text(),
                         'run "python doc/modules.py"')

    def test_answers_of_the_api(self):
        generator = runpy.run_path(str(PROJECT / 'doc' / 'answers.py'))
        self.assertEqual(generator['render'](),
                         generator['PAGE'].read_text(),
                         'run "python doc/answers.py"')

    def test_options(self):
        wrong = []
        for page, (group, name, value) in self.each(
                r'\[([a-z_]+|DEFAULT)\] ([a-z]\w+)(?: = ([\w.-]+))?'):
            if group == 'nova_post_copy':
                # Read by oslo.config itself.
                continue
            try:
                option = _option(group, name)
                if value:
                    option.type(value)
            except (KeyError, ValueError) as exc:
                wrong.append((page, group, name, str(exc)))
        self.assertAll(wrong)

    def test_defaults(self):
        """Two ways to write them, with the name of the option in full."""
        stated = [
            # ``[group] name`` (unit, default)
            *self.each(r'\[(\w+)\] (\w+)`* \([^(),]+, ([\d.]+)[:)]'),
            # ... the default, ``[group] name = default``
            *self.each(r'default, ``\[(\w+)\] (\w+) = ([\w.-]+)``')]
        self.assertAll([
            (page, name, default) for page, (group, name, default) in stated
            for option in [_option(group, name)]
            if option.type(default) != option.default])

    def test_environments_of_tox(self):
        tox = configparser.ConfigParser()
        tox.read(PROJECT / 'tox.ini')
        self.assertAll([
            (page, name)
            for page, names in self.each(r'tox -e (\w+(?:,\w+)*)')
            for name in names.split(',')
            if 'testenv:' + name not in tox])

    def test_commands_of_run(self):
        commands = self.each(r'\./run ([a-z]+)((?: [][\w,-]+)*)')
        self.assertEqual(set(COMMANDS), {match[0] for _page, match
                                         in commands})
        self.assertAll([
            (page, command, option) for page, (command, rest) in commands
            for option in re.findall(r'--([a-z-]+)', rest)
            if not re.search("'(--)?%s'" % option,
                             (PROJECT / COMMANDS[command]).read_text())])

    def test_commands_of_the_lab(self):
        source = (PROJECT / COMMANDS['lab']).read_text()
        self.assertAll([
            (page, name) for page, name in self.each(r'\./run lab ([a-z]+)')
            if 'def %s(' % name not in source])

    def test_commands_of_operators(self):
        source = ''.join(
            (PROJECT / 'nova/nova_post_copy/cmd' / name).read_text()
            for name in ('manage.py', 'status.py', 'give_up.py'))
        self.assertAll([
            (page, name) for page, name in self.each(
                r'nova-post-copy-(?:manage|status)(?: \[--config-file FILE\])?'
                r' (?:db|upgrade|migration)\s+([a-z-]+)')
            if 'def %s(' % name not in source
            and "'%s'" % name not in source])

    def test_cases_of_faults(self):
        table = pages.Page(pages.SOURCE / 'faults.inc')
        cases = self.each(r'--case ([a-z][\w-]*)') + [
            (table.name, name) for name in table.literals()]
        self.assertAll([case for case in cases if case[1] not in matrix.CASES])

    def test_tests_that_show_something(self):
        self.assertAll([
            (page, name) for page, name
            in self.each(r'``(tests\.(?:unit|functional)\.[\w.]+)``')
            if not pages.has_test(name)])

    def test_policies(self):
        known = {rule.name for rule in
                 [*upstream_policies.list_rules(), *policies.list_rules()]}
        self.assertAll([
            (page, name) for page, name
            in self.each(r'os_compute_api:[\w:-]*\w') if name not in known])

    def test_microversion(self):
        """Upstream's are below 2.105; a page says ours or none of three."""
        self.assertAll([
            (page, number) for page, number in self.each(r'\b2\.\d{3}\b')
            if number != microversion.VERSION])

    def test_names_that_users_see(self):
        known = {events.DEGRADED, events.RECOVERY, instance_fault.EVENT,
                 traits.POST_COPY, *(
                     'instance.%s.%s' % (notifications.ACTION, phase)
                     for phase in ('start', 'progress', 'end', 'error'))}
        self.assertAll([
            (page, name) for page, name in self.each(
                r'compute_live_migration_\w+|CUSTOM_\w+'
                r'|instance\.live_migration_\w+\.\w+')
            if name not in known])

    def test_messages(self):
        """What is quoted, or explained as a term, is in the code."""
        messages = pages.messages()
        quoted = [(page.name, text) for page in self.pages for text in [
            *page.terms(),
            *(page.emphasised() if page.name.endswith(QUOTING) else ())]]
        parts = [
            (page, _NUMBER.sub('#', part.strip(' ,.;:')))
            for page, text in quoted
            if len(text.split()) >= QUOTED_WORDS and '>' not in text
            for part in text.split('...')]
        self.assertNotEqual([], parts)
        self.assertAll([part for part in parts if part[1] not in messages])

    def test_parts_of_upstreams_tests(self):
        main = pathlib.Path(expected.__file__).with_name('__main__.py')
        docstring = main.read_text().split('"""')[1]
        self.assertEqual(list(expected.PARTS),
                         re.findall(r'^(\w+)\n    ', docstring, re.M))


def _option(group: str, name: str):
    """Return an option of Nova's or of ours.

    :raises KeyError: there is no such option
    """
    conf = nova.conf.CONF
    options = conf._opts if group == 'DEFAULT' else conf._groups[group]._opts
    return options[name]['opt']
