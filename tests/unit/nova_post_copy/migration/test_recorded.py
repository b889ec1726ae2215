# SPDX-License-Identifier: Apache-2.0

"""The same guest gets the same decision on each generation of QEMU.

QEMU 7.2 and 10.0 collect dirty pages once in a pass, QEMU 11.1 at least ten
times a second.
"""

import re

from nova import objects
from nova import test
from nova.tests.unit import fake_instance

from lab.simulation import names
from nova_post_copy.decisions import switch
from nova_post_copy.migration import pre_copy
from nova_post_copy.virt.libvirt import job
from tests.unit.nova_post_copy.migration import recorded
from tests.unit.nova_post_copy.migration import scripted

MIB = 1 << 20


class RecordedTestCase(test.NoDBTestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())

    def follow(self, generation, guest, measures=True, keep=1):
        """Decide at each look, and return the looks and decisions until then.

        :param measures: whether QEMU can measure the dirty rate
        :param keep: nova-compute looks at one in so many looks only
        """
        recording = recorded.Recording(generation, guest)
        source = scripted.Source(None)
        source.memory = recording.memory
        instance = fake_instance.fake_instance_obj(None)
        instance.flavor = objects.Flavor(memory_mb=256)
        learner = pre_copy.PreCopy(source, instance)
        course = []
        for look in [*recording.looks()][::keep]:
            source.dirty_rate = _dirty_rate(look.measured) if measures else {}
            info = job.read(look.stats)
            decision = learner.decide(info, look.lag, forced=False)
            course.append((info, decision))
            if decision.action is not switch.Action.GO_ON:
                break
        return recording, course

    def switched(self, *args, **kwargs):
        """Return the share of memory that was sent, and the decision."""
        _recording, course = self.follow(*args, **kwargs)
        info, decision = course[-1]
        self.assertIs(switch.Action.SWITCH, decision.action, args)
        return info.memory_visited / info.memory_total, decision.reason


def _dirty_rate(measured):
    if measured is None:
        return {'dirtyrate.calc_status':
                names.VIR_DOMAIN_DIRTYRATE_MEASURING}
    return {
        'dirtyrate.calc_status': names.VIR_DOMAIN_DIRTYRATE_MEASURED,
        'dirtyrate.calc_period': measured['seconds'],
        'dirtyrate.megabytes_per_second': measured['mib_per_second']}


class TestPreCopyEnds(RecordedTestCase):
    """No guest is switched that pre-copy moves by itself."""

    def assert_not_switched(self, guest, measured=(True, False)):
        for generation in recorded.GENERATIONS:
            for measures in measured:
                for keep in (1, 2, 5):
                    recording, course = self.follow(
                        generation, guest, measures, keep)
                    _info, decision = course[-1]
                    self.assertIs(switch.Action.GO_ON, decision.action,
                                  (generation, measures, keep, decision))
                    self.assertTrue(recording.ended, generation)

    def test_idle(self):
        self.assert_not_switched('idle')

    def test_hot_set_that_fits_the_downtime(self):
        self.assert_not_switched('hot-set')

    def test_writes_at_half_of_what_the_network_carries(self):
        # Without a measurement one pass cannot tell it from a hot set.
        self.assert_not_switched('half-rate', measured=(True,))


class TestPreCopyDoesNotEnd(RecordedTestCase):

    def assert_switched(self, guest, begin, end, reason, apart=0.2,
                        **options):
        """Assert that each generation switches, and when and why.

        :param begin, end: between which shares of the memory
        :param apart: by how much of the memory the moments may differ
        """
        shares = []
        for generation in recorded.GENERATIONS:
            recording, _course = self.follow(generation, guest)
            self.assertFalse(recording.ended, generation)
            share, why = self.switched(generation, guest, **options)
            self.assertTrue(re.fullmatch(reason, why), (generation, why))
            self.assertTrue(begin <= share <= end, (generation, share))
            shares.append(share)
        self.assertLess(max(shares) - min(shares), apart)

    REASON = (r'\d+ MiB for post-copy take .* s; another pass would leave '
              r'\d+ MiB and take .* s more')

    def test_all_hot_is_switched_as_soon_as_it_is_measured(self):
        self.assert_switched('full', 0.05, 0.3, self.REASON)

    def test_all_hot_is_switched_after_a_pass_that_was_not_measured(self):
        self.assert_switched('full', 0.85, 1.1, self.REASON, measures=False)

    def test_hot_set_that_does_not_fit_the_downtime(self):
        # At most one pass of the hot set, a quarter of the memory, apart.
        self.assert_switched('quarter', 0.85, 1.4, self.REASON, apart=0.35)

    def test_first_pass(self):
        self.flags(switch_policy='first-pass', group='post_copy')
        for guest in ('full', 'quarter', 'half-rate'):
            shares = [self.switched(generation, guest)[0]
                      for generation in recorded.GENERATIONS]
            self.assertTrue(all(0.85 < share < 1.1 for share in shares),
                            (guest, shares))


class TestFigures(RecordedTestCase):

    def test_nonsense_is_none(self):
        for generation in recorded.GENERATIONS:
            for guest in ('idle', 'full'):
                for look in recorded.Recording(generation, guest).looks():
                    self.assertLess(job.read(look.stats).downtime, 1000)

    def test_collections_are_no_passes(self):
        # What the decision must be able to live with.
        iterations = {
            generation: max(
                look.stats['memory_iteration'] for look in
                recorded.Recording(generation, 'idle').looks())
            for generation in recorded.GENERATIONS}
        self.assertLess(iterations['debian12'], 10)
        self.assertLess(iterations['debian13'], 10)
        self.assertGreater(iterations['debian13-backports'], 50)
