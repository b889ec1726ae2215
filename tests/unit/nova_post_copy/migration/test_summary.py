# SPDX-License-Identifier: Apache-2.0

import testtools

from nova_post_copy.migration import summary
from nova_post_copy.virt.libvirt import job

STATISTICS = job.Statistics(
    memory_total=512 << 20, memory_processed=880 << 20, memory_remaining=0,
    memory_visited=880 << 20, memory_iteration=2, memory_bps=0, disk_total=0,
    disk_processed=0, disk_remaining=0, page_requests=10423, elapsed=5.63,
    downtime=0.048)


class TestDescribe(testtools.TestCase):

    def test_all_is_known(self):
        self.assertEqual(
            'The server was degraded for 1.82 s. Reason for the switch: a '
            'user forced the switch. Pages fetched on demand: 10423. Total '
            '5.6 s, downtime 48 ms, 880 MiB moved.',
            summary.describe('a user forced the switch', 1.8249, STATISTICS))

    def test_nova_compute_was_restarted(self):
        self.assertEqual(
            'Pages fetched on demand: 10423. Total 5.6 s, downtime 48 ms, '
            '880 MiB moved.', summary.describe('', None, STATISTICS))

    def test_libvirt_tells_nothing(self):
        self.assertEqual(
            'The server was degraded for 0.00 s. Reason for the switch: '
            'it is hot.', summary.describe('it is hot', 0.0, None))

    def test_nothing_is_known(self):
        self.assertEqual('nova-compute was restarted during the migration.',
                         summary.describe('', None, None))
