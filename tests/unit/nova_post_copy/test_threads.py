# SPDX-License-Identifier: Apache-2.0

import threading

from nova import context as nova_context
from nova import test
from oslo_context import context as oslo_context

from nova_post_copy import threads


class TestSpawn(test.NoDBTestCase):

    def test_result(self):
        self.assertEqual(3, threads.spawn(lambda a, b: a + b, 1, b=2).result())

    def test_error(self):
        self.assertRaises(ZeroDivisionError,
                          threads.spawn(lambda: 1 / 0).result)

    def test_context_of_the_log(self):
        context = nova_context.RequestContext('user', 'project')
        context.update_store()
        there = threads.spawn(oslo_context.get_current).result()
        self.assertEqual(context.request_id, there.request_id)

    def test_nothing_waits_for_a_thread(self):
        # As many as a host has servers, each with what it waits for.
        over = threading.Event()
        self.addCleanup(over.set)
        for _server in range(200):
            threads.spawn(over.wait)
        self.assertEqual(1, threads.spawn(lambda: 1).result(timeout=60))
