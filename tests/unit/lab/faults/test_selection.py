# SPDX-License-Identifier: Apache-2.0

import testtools

from lab.cloud import storage
from lab import errors
from lab.faults import matrix
from lab.faults import selection


def names(cases) -> list[str]:
    return [case.name for case in cases]


class SelectionTest(testtools.TestCase):

    def test_all_that_the_storage_allows(self):
        local = names(selection.select(None, 'local'))
        ceph = names(selection.select(None, 'ceph'))

        self.assertIn('cut-5', local)
        self.assertIn('cut-5', ceph)
        self.assertIn('disk-full', local)
        self.assertNotIn('disk-full', ceph)
        for name in ('cinder-post-copy', 'delete-interrupted-volume'):
            self.assertNotIn(name, local)
            self.assertIn(name, ceph)

    def test_by_name(self):
        self.assertEqual(
            ['cut-60', 'cinder-post-copy'], names(selection.select(
                ['cut-60', 'cinder-post-copy'], 'ceph')))

    def test_another_storage_than_the_case_needs(self):
        refused = self.assertRaises(
            errors.LabError, selection.select,
            ['cut-60', 'cinder-post-copy'], 'shared')
        self.assertEqual('the case cinder-post-copy needs --storage ceph, '
                         'and not shared', str(refused))

    def test_the_list_says_what_a_case_needs(self):
        listed = dict(selection.listed())

        self.assertEqual(list(matrix.CASES), list(listed))
        self.assertIn('(with --storage ceph)', listed['cinder-post-copy'])
        self.assertIn('(with --storage local)', listed['disk-full'])
        self.assertNotIn('--storage', listed['cut-5'])

    def test_kinds_of_storage_are_those_of_the_lab(self):
        self.assertEqual(set(), {
            kind for case in matrix.CASES.values()
            for kind in case.storage} - set(storage.KINDS))
