# SPDX-License-Identifier: Apache-2.0

import pathlib

import fixtures
import testtools

from lab.bench import tail

UUID = 'b902af45-d552-437a-871f-c5851c2c97f6'
OTHER = '720ce527-296b-44b5-bd98-9d85be86cf1f'
OURS = 'Live migration completed: the server runs on host-b'
ARRIVED = 'VM Resumed (Lifecycle Event)'
NOTICED = '_post_live_migration() is started..'
TAKEN_OVER = 'Post operation of migration started'
COMPLETED = 'Migrating instance to host-b finished successfully.'


class TailTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.folder = pathlib.Path(self.useFixture(fixtures.TempDir()).path)
        self.logs = {'host-a': [], 'host-b': []}

    def log(self, host, second, words, uuid=UUID):
        self.logs[host].append(
            '2026-11-23 08:28:%06.3f 2192 INFO nova.compute.manager [None '
            'req-1 user - - default default] [instance: %s] %s' % (
                second, uuid, words))

    def read(self):
        paths = {}
        for host, lines in self.logs.items():
            paths[host] = self.folder / host
            paths[host].write_text('\n'.join(['no such line', *lines]))
        return [tail.Tail(found.ours, *(round(each, 3) for each in found[1:]))
                for found in tail.read(paths)]

    def migrate(self, begin, ours=True, uuid=UUID):
        """Log one from host-a to host-b."""
        self.log('host-b', begin, ARRIVED, uuid)
        if ours:
            self.log('host-a', begin + 0.19, OURS, uuid)
        self.log('host-a', begin + 0.2, NOTICED, uuid)
        self.log('host-b', begin + 0.25, TAKEN_OVER, uuid)
        self.log('host-a', begin + 0.5, COMPLETED, uuid)

    def test_who_watched(self):
        self.migrate(1)
        self.migrate(2, ours=False)
        self.assertEqual([(True, 0.2, 0.05, 0.25), (False, 0.2, 0.05, 0.25)],
                         self.read())

    def test_side_by_side(self):
        self.migrate(1)
        self.migrate(1.1, ours=False, uuid=OTHER)
        self.assertEqual([True, False], [found.ours for found in self.read()])

    def test_in_post_copy_the_guest_is_resumed_twice(self):
        self.log('host-b', 0, ARRIVED)
        self.migrate(1)
        self.assertEqual(0.2, self.read()[0].noticed)

    def test_incomplete(self):
        self.log('host-a', 1, NOTICED)
        self.log('host-b', 2, TAKEN_OVER)
        self.log('host-a', 3, COMPLETED)
        self.assertEqual([], self.read())

    def test_news_of_the_arrival_came_late(self):
        self.log('host-a', 1, NOTICED)
        self.log('host-b', 1.1, ARRIVED)
        self.log('host-b', 2, TAKEN_OVER)
        self.log('host-a', 3, COMPLETED)
        self.assertEqual([], self.read())

    def test_on_hosts_that_do_not_fit(self):
        self.log('host-a', 1, ARRIVED)
        self.log('host-a', 2, NOTICED)
        self.log('host-b', 3, TAKEN_OVER)
        self.log('host-a', 4, COMPLETED)
        self.assertEqual([], self.read())
