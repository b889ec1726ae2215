# SPDX-License-Identifier: Apache-2.0

import pathlib

import fixtures
import testtools

from lab.faults import page
from lab.faults import report
from tests.unit.lab.faults import base


class PageTest(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)

    def save(self, *violations, drawn=None, upstream=False):
        report.save([report.Result(base.observation(), list(violations))],
                    upstream, self.folder / report.name(drawn, upstream))

    def written(self):
        page.write(self.folder, self.folder)
        return (self.folder / 'faults.inc').read_text()

    def test_only_what_was_run(self):
        self.save()
        text = self.written()
        self.assertIn('have a name: 1, of which 0 violated', text)
        self.assertNotIn('drawn', text)
        self.assertTrue(text.endswith(
            '(``case``)\n     - 1.0 s\n     - 1.0 s\n     - 8.0 s\n'
            '     - ACTIVE on host-b, migration completed\n     -\n'), text)

    def test_beside_upstream(self):
        self.save()
        self.save('two copies', 'answered *no*', upstream=True)
        self.save('the end was not seen', drawn='random')
        text = self.written()
        self.assertIn('were drawn: 1, of which 1 violated', text)
        self.assertIn('     - two copies; answered \\*no\\*\n', text)

    def test_violations_are_told(self):
        self.save('the guest was never heard')
        self.assertIn('- **the guest was never heard**\n', self.written())

    def test_there_is_nothing_to_say(self):
        self.assertRaises(FileNotFoundError, self.written)
