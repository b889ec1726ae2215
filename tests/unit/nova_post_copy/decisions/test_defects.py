# SPDX-License-Identifier: Apache-2.0

import importlib

import testtools

from nova_post_copy.decisions import defects
from nova_post_copy.decisions.defects import Effect
from nova_post_copy.decisions.defects import Program
from nova_post_copy.decisions.defects import Role


def _before(version):
    """Return a version that is older, and newer than all that are."""
    major, minor, micro = version
    if micro:
        return major, minor, micro - 1
    return (major, minor - 1, 99) if minor else (major - 1, 99, 99)


class TestTable(testtools.TestCase):

    def test_each_row_has_its_borders(self):
        for defect in defects.DEFECTS:
            def holds(version, defect=defect):
                return defect.holds(
                    lambda program, wanted: program is defect.program
                    and version >= wanted)

            if defect.since is not None:
                self.assertTrue(holds(defect.since), defect.name)
                self.assertFalse(holds(_before(defect.since)), defect.name)
            if defect.fixed is not None:
                self.assertTrue(holds(_before(defect.fixed)), defect.name)
                self.assertFalse(holds(defect.fixed), defect.name)

    def test_names_are_unique(self):
        names = [defect.name for defect in defects.DEFECTS]
        self.assertEqual(len(names), len(set(names)))
        self.assertIn(defects.RESUME_CRASH, names)

    def test_each_row_is_shown_by_a_test(self):
        for defect in defects.DEFECTS:
            importlib.import_module(defect.shown_by)

    def test_only_what_is_handled_cannot_be_overruled(self):
        for defect in defects.DEFECTS:
            self.assertEqual(defect.effect is not Effect.HANDLED,
                             defect.name in defects.NAMES)


class TestHosts(testtools.TestCase):

    def names(self, libvirt, qemu, role, effect=Effect.REFUSED,
              parallel=False, fixed=()):
        versions = {Program.LIBVIRT: libvirt, Program.QEMU: qemu}
        return [defect.name for defect in defects.of_host(
            lambda program, wanted: versions[program] >= wanted, role, effect,
            parallel, fixed)]

    def test_generations(self):
        for libvirt, qemu, source, destination in (
                ((9, 0, 0), (7, 2, 22), [], []),
                ((11, 3, 0), (10, 0, 13), [], ['libvirt-resume-crash']),
                ((12, 9, 0), (11, 1, 3), [], [])):
            self.assertEqual((source, destination), (
                self.names(libvirt, qemu, Role.SOURCE),
                self.names(libvirt, qemu, Role.DESTINATION)))

    def test_parallel_connections(self):
        debian13 = (11, 3, 0), (10, 0, 13), Role.SOURCE
        self.assertEqual(['qemu-parallel'],
                         self.names(*debian13, parallel=True))
        self.assertEqual([], self.names(*debian13, parallel=True,
                                        fixed=['qemu-parallel']))

    def test_both_roles(self):
        self.assertEqual(
            ['libvirt-resume-refused'],
            self.names((8, 6, 0), (7, 0, 0), Role.BOTH, Effect.SLOWER))
