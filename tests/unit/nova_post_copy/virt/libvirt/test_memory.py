# SPDX-License-Identifier: Apache-2.0

from nova import exception
from nova import test
from nova.tests.unit import fake_instance
from oslo_utils import units

from lab.simulation import names
from nova_post_copy.virt.libvirt import memory
from tests.unit.nova_post_copy.migration import scripted

TOTAL = 4 * units.Gi


class TestMemory(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.source = scripted.Source(None)

    def look(self):
        return memory.look(
            self.source, fake_instance.fake_instance_obj(None), TOTAL)

    def hugepages(self, *pages):
        self.source.xml = (
            '<domain><memoryBacking><hugepages>%s</hugepages>'
            '</memoryBacking></domain>' % ''.join(
                '<page size="%d" %s/>' % (size, unit and 'unit="%s"' % unit)
                for size, unit in pages))

    def test_all_of_it(self):
        for self.source.memory in (
                {}, {'actual': 4 * units.Mi},
                # QEMU needs some for itself.
                {'actual': 4 * units.Mi, 'rss': 5 * units.Mi}):
            self.assertEqual((TOTAL, 4096), self.look())

    def test_not_touched_yet(self):
        self.source.memory = {'actual': 4 * units.Mi, 'rss': 1 * units.Mi}
        self.assertEqual((1 * units.Gi, 4096), self.look())

    def test_given_back_to_a_balloon(self):
        self.source.memory = {'actual': 2 * units.Mi, 'rss': 3 * units.Mi}
        self.assertEqual((2 * units.Gi, 4096), self.look())

    def test_huge_pages(self):
        for size, unit, expected in ((1, 'GiB', units.Gi),
                                     (2, 'MiB', 2 * units.Mi),
                                     (2048, 'KiB', 2 * units.Mi),
                                     (1048576, '', units.Gi)):
            self.hugepages((size, unit))
            self.assertEqual(expected, self.look().page_size)

    def test_the_biggest_huge_pages_count(self):
        self.hugepages((2, 'MiB'), (1, 'GiB'))
        self.assertEqual(units.Gi, self.look().page_size)

    def test_huge_pages_are_no_part_of_the_process(self):
        self.hugepages((2, 'MiB'))
        self.source.memory = {'actual': 3 * units.Mi, 'rss': 100}
        self.assertEqual(3 * units.Gi, self.look().used)

    def test_libvirt_does_not_answer(self):
        for name, error in (
                ('get_guest', exception.HypervisorUnavailable()),
                ('get_guest', exception.InstanceNotFound(instance_id='x')),
                ('memoryStats', names.connection_lost()),
                ('XMLDesc', names.connection_lost())):
            self.source.errors[name].append(error)
            self.source.memory = {'actual': 1}
            self.assertEqual((TOTAL, 4096), self.look())
