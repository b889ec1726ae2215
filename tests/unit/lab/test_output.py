# SPDX-License-Identifier: Apache-2.0

import testtools

from lab import output

ROWS = (('way', 'total', 'moved / RAM'),
        ('pre-copy', 'never', '12.5'),
        ('ours', '3.0 s', ''))


class ColumnsTestCase(testtools.TestCase):

    def test_from_the_left(self):
        self.assertEqual('way       total  moved / RAM\n'
                         'pre-copy  never  12.5\n'
                         'ours      3.0 s', output.columns(ROWS))

    def test_from_the_right(self):
        self.assertEqual('way       total  moved / RAM\n'
                         'pre-copy  never         12.5\n'
                         'ours      3.0 s', output.columns(ROWS, align='>'))
