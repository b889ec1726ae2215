# SPDX-License-Identifier: Apache-2.0

import io
import os

import fixtures
import testtools

from client_post_copy import display


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def screen(self) -> list[str]:
        """Return the lines that a terminal would show."""
        return [line.rpartition('\r\033[K')[2]
                for line in self.getvalue().split('\n')]


class DisplayTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(
            'shutil.get_terminal_size', lambda: os.terminal_size((20, 5))))

    def test_terminal(self):
        stdout = Terminal()
        shown = display.Display(stdout)
        shown.show('one')
        shown.show('two')
        self.assertEqual(['two'], stdout.screen())
        shown.say('stays')
        self.assertEqual(['stays', ''], stdout.screen())
        shown.show('three')
        shown.clear()
        shown.say('stays, too')
        self.assertEqual(['stays', 'stays, too', ''], stdout.screen())

    def test_no_line_is_longer_than_the_terminal(self):
        stdout = Terminal()
        display.Display(stdout).show('123456789 123456789 123')
        self.assertEqual(['123456789 123456789'], stdout.screen())

    def test_file(self):
        stdout = io.StringIO()
        shown = display.Display(stdout)
        shown.show('one')
        shown.say('stays')
        shown.show('two')
        shown.clear()
        self.assertEqual('stays\n', stdout.getvalue())
