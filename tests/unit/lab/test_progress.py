# SPDX-License-Identifier: Apache-2.0

import io

import fixtures
import testtools

from lab import progress


class Terminal(io.StringIO):
    def isatty(self):
        return True


class ProgressTestCase(testtools.TestCase):

    def test_lines_that_stay(self):
        stream = io.StringIO()
        progress.Progress(stream)('up')
        self.assertRegex(stream.getvalue(), r'^\[ *\d+\.\d s\] up\n$')

    def test_a_terminal_has_one_line_that_is_rewritten(self):
        stream = Terminal()
        say = progress.Progress(stream)
        say.update('10 %')
        say.update('20 %')
        say('done')
        self.assertEqual(1, stream.getvalue().count('20 %\n'))
        self.assertEqual(2, stream.getvalue().count('\n'))
        self.assertEqual(2, stream.getvalue().count('\r'))

    def test_an_update_fits_the_terminal(self):
        self.useFixture(fixtures.EnvironmentVariable('COLUMNS', '40'))
        stream = Terminal()
        progress.Progress(stream).update('x' * 100)
        self.assertEqual(39, len(stream.getvalue().removeprefix('\r\033[K')))

    def test_updates_elsewhere_are_few_lines(self):
        stream = io.StringIO()
        say = progress.Progress(stream, interval=60)
        for percent in range(100):
            say.update('%d %%' % percent)
        self.assertEqual(1, stream.getvalue().count('\n'))
        self.assertIn(' 0 %\n', stream.getvalue())
