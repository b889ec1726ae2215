# SPDX-License-Identifier: Apache-2.0

from nova import test
from nova.virt.libvirt import guest as libvirt_guest

from lab.simulation import names
from nova_post_copy.virt.libvirt import job
from tests.unit.nova_post_copy.migration import scripted


class TestJob(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())
        self.source = scripted.Source(
            self.useFixture(scripted.Clock()))

    def running(self):
        return job.running(libvirt_guest.Guest(self.source))

    def test_bytes_and_seconds(self):
        self.assertEqual(
            job.Statistics(
                memory_total=1, memory_processed=2, memory_remaining=3,
                memory_visited=7 * 4096, memory_iteration=4, memory_bps=5,
                disk_total=6, disk_processed=7, disk_remaining=8,
                page_requests=9,
                elapsed=1.5, downtime=0.048),
            job.read({
                'type': names.VIR_DOMAIN_JOB_COMPLETED, 'memory_total': 1,
                'memory_processed': 2, 'memory_remaining': 3,
                'memory_iteration': 4, 'memory_bps': 5, 'disk_total': 6,
                'disk_processed': 7, 'disk_remaining': 8,
                'memory_constant': 4, 'memory_normal': 3,
                'memory_page_size': 4096,
                'memory_postcopy_requests': 9, 'time_elapsed': 1500,
                'downtime': 48, 'setup_time': 3}))

    def test_what_libvirt_leaves_out_is_nothing(self):
        self.assertEqual((0,) * len(job.Statistics._fields), job.read({}))

    def test_what_was_sent_where_pages_are_not_counted(self):
        self.assertEqual(5, job.read({'memory_processed': 5}).memory_visited)

    def test_what_qemu_does_not_know_is_nothing(self):
        # 11.1 before it knows the bandwidth; the other is the same unsigned.
        for nonsense in (9223372036854775807, 18446744073709551615):
            self.assertEqual(0.0, job.read({'downtime': nonsense}).downtime)

    def test_of_a_running_job(self):
        self.source.become(job=scripted.copying(2) | {'time_elapsed': 2500})
        statistics = self.running()
        self.assertEqual((2, 2.5), (statistics.memory_iteration,
                                    statistics.elapsed))

    def test_no_job(self):
        self.assertIsNone(self.running())

    def test_libvirt_does_not_answer(self):
        self.source.errors['jobStats'].append(names.busy())
        self.assertRaises(names.libvirtError, self.running)
