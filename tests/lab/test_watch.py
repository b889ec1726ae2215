# SPDX-License-Identifier: Apache-2.0

"""Watching a migration, on a libvirt of our own making.

No cloud is needed, but libvirt-python, which only this environment has.
"""

import fixtures
import libvirt
import testtools

from lab.instruments import record
from lab.instruments import watch

SERVER = '5a7b1f0e-28cb-4f7e-a1a9-1c2d3e4f5061'


class Domain:
    def __init__(self, uuid=SERVER, statistics=None, job=0):
        self._uuid = uuid
        self._statistics = statistics
        self._job = job

    def UUIDString(self):
        return self._uuid

    def jobStats(self, flags=0):
        if self._statistics is None:
            raise libvirt.libvirtError('no job')
        return self._statistics

    def jobInfo(self):
        return [self._job] + [0] * 11


class Host:
    """A host, and its only connection."""

    def __init__(self):
        self.domains = []
        self._callbacks = {}

    def connect(self):
        return self

    def domainEventRegisterAny(self, dom, eventID, cb, opaque):
        self._callbacks[eventID] = (cb, opaque)

    def lookupByUUIDString(self, uuidstr):
        for domain in self.domains:
            if domain.UUIDString() == uuidstr:
                return domain
        raise libvirt.libvirtError('no domain')

    def listAllDomains(self, flags=0):
        return self.domains

    def happen(self, event, detail, uuid=SERVER):
        callback, names = self._callbacks[
            libvirt.VIR_DOMAIN_EVENT_ID_LIFECYCLE]
        callback(self, Domain(uuid), event, detail, names)

    def complete(self, **statistics):
        callback, opaque = self._callbacks[
            libvirt.VIR_DOMAIN_EVENT_ID_JOB_COMPLETED]
        callback(self, Domain(), statistics, opaque)


class WatchTestCase(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(fixtures.MonkeyPatch(
            'lab.instruments.watch._listen', tuple))
        self.source, self.destination = Host(), Host()
        self.run = record.Record(
            simulated=False, server=SERVER, source='host-a',
            destination='host-b', memory=1, working_set=1, bandwidth=1)
        self.now = 0
        self.watch = watch.Watch(self.source, self.destination, self.run,
                                 lambda: self.now)

    def request(self):
        attempt = record.Attempt('nova live-migration', False)
        self.run.attempts.append(attempt)
        return attempt

    def look(self, **statistics):
        self.source.domains = [Domain(statistics=statistics)]
        self.watch.look()

    def suspend(self, uuid=SERVER):
        self.source.happen(libvirt.VIR_DOMAIN_EVENT_SUSPENDED,
                           libvirt.VIR_DOMAIN_EVENT_SUSPENDED_POSTCOPY, uuid)

    def test_post_copy(self):
        attempt = self.request()
        self.look(memory_processed=0)
        self.assertEqual({}, self.watch.statistics)
        for self.now, iteration in ((1, 1), (2, 2)):
            self.look(memory_processed=self.now * 10,
                      memory_iteration=iteration)
        self.now = 3
        self.suspend()
        self.now = 4
        self.destination.happen(libvirt.VIR_DOMAIN_EVENT_RESUMED,
                                libvirt.VIR_DOMAIN_EVENT_RESUMED_MIGRATED)
        # The domain is gone from the source; this comes with its end.
        self.source.complete(memory_processed=50, memory_iteration=3)
        self.assertEqual(
            [(1, record.RUNNING), (3, record.SWITCHED),
             (4, record.MEMORY_COMPLETE)],
            [(event.time, event.name) for event in attempt.events])
        self.assertEqual(50, attempt.transferred)
        self.assertEqual(1, attempt.passes)

    def test_each_attempt_has_its_own(self):
        first = self.request()
        self.look(memory_processed=10, memory_iteration=7)
        second = self.request()
        self.assertEqual({}, self.watch.statistics)
        self.look(memory_processed=3, memory_iteration=1)
        self.assertEqual((10, 6), (first.transferred, first.passes))
        self.assertEqual((3, 0), (second.transferred, second.passes))

    def test_other_servers_do_not_matter(self):
        attempt = self.request()
        self.suspend(uuid=SERVER[::-1])
        self.assertEqual([], attempt.events)

    def test_nothing_is_noted_before_the_first_request(self):
        self.suspend()
        self.look(memory_processed=10)
        self.assertEqual([], self.request().events)

    def test_idle(self):
        self.assertFalse(self.watch.is_idle())
        self.source.domains = [Domain()]
        self.assertTrue(self.watch.is_idle())
        self.destination.domains = [Domain()]
        self.assertFalse(self.watch.is_idle())
        self.destination.domains = []
        self.source.domains = [Domain(job=libvirt.VIR_DOMAIN_JOB_UNBOUNDED)]
        self.assertFalse(self.watch.is_idle())
