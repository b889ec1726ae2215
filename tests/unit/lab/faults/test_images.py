# SPDX-License-Identifier: Apache-2.0

import subprocess

import fixtures
import testtools

from lab.faults import images

A, B = '198.18.90.11', '198.18.90.12'


class ImagesTest(testtools.TestCase):
    """The images in Ceph and the QEMU processes, look by look."""

    def setUp(self):
        super().setUp()
        self.disks: dict[str, list[str]] = {'uuid_disk': [A], 'other': [A]}
        self.volumes: dict[str, list[str]] = {'volume-one': [A]}
        self.processes = [{1: 'host-a'}]
        self.changes: list[tuple[str, list[str]]] = []
        self.removed: list[tuple[str, list[str]]] = []
        for name, value in {
                'lab.cloud.services.ceph.images': self._listed,
                'lab.cloud.services.ceph.watchers': self._watchers,
                'lab.instruments.proof.qemu_processes': self._processes,
                'lab.faults.images.INTERVAL_S': 3600}.items():
            self.useFixture(fixtures.MonkeyPatch(name, value))
        self.images = images.Images(
            'uuid', ['one'], {},
            lambda *change: self.changes.append(change),
            lambda *removed: self.removed.append(removed))
        self.addCleanup(self.images.stop)

    def _listed(self, pool: str) -> list[str]:
        return list({'vms': self.disks}[pool])

    def _watchers(self, pool: str, image: str) -> list[str] | None:
        return {'vms': self.disks, 'volumes': self.volumes}[pool].get(image)

    def _processes(self, server: str, hosts: dict) -> dict[int, str]:
        return (self.processes.pop(0) if len(self.processes) > 1
                else self.processes[0])

    def test_who_has_an_image_open(self):
        self.images.look()
        self.images.look()
        self.disks['uuid_disk'] = [B, A]
        self.images.look()

        self.assertEqual([
            ('uuid_disk', ['host-a']), ('volume-one', ['host-a']),
            ('uuid_disk', ['host-a', 'host-b'])], self.changes)
        self.assertEqual([], self.removed)

    def test_one_who_is_no_host(self):
        self.volumes['volume-one'] = ['198.18.90.1']

        self.assertEqual(['198.18.90.1'], images.of_volume('one'))
        self.assertIsNone(images.of_volume('two'))

    def test_removed_after_the_end_of_qemu(self):
        self.images.look()
        self.processes = [{}]
        self.disks.clear()
        self.images.look()

        self.assertEqual([], self.removed)

    def test_removed_while_qemu_runs(self):
        self.images.look()
        self.processes = [{2: 'host-b'}]
        self.disks.clear()
        self.images.look()
        self.images.look()

        self.assertEqual([('uuid_disk', ['host-b'])], self.removed)

    def test_qemu_ends_while_ceph_is_asked(self):
        self.images.look()
        self.processes = [{1: 'host-a'}, {}]
        self.disks.clear()
        self.images.look()

        self.assertEqual([], self.removed)

    def test_removed_while_ceph_does_not_answer(self):
        self.images.look()
        self.useFixture(fixtures.MonkeyPatch(
            'lab.cloud.services.ceph.images', self._fail))
        self.assertRaises(subprocess.SubprocessError, self.images.look)
        self.disks.clear()
        self.useFixture(fixtures.MonkeyPatch(
            'lab.cloud.services.ceph.images', lambda pool: []))
        self.images.look()

        self.assertEqual([('uuid_disk', ['host-a'])], self.removed)

    def _fail(self, pool: str) -> list[str]:
        raise subprocess.TimeoutExpired('rbd', 20)
