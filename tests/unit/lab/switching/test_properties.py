# SPDX-License-Identifier: Apache-2.0

"""What the decision promises, for whatever guest that does not change.

nova-compute's own code decides in a world of bytes and seconds.
"""

import hypothesis
from hypothesis import strategies
import testtools

from lab.switching import guests
from lab.switching import ways
from lab.switching import world
from tests.unit.nova_post_copy.migration import scripted

WEIGHT = 2.0        # the default
DOWNTIME_S = 0.5
# Weights, and how many times the better of two simple rules ours may cost.
BOUNDS = {0.5: 1.4, 1.0: 1.5, 2.0: 1.6, 5.0: 2.5}

_scales = strategies.builds(
    lambda memory, once: guests.Scale(
        '', memory * guests.GIB, memory * guests.GIB / once),
    strategies.sampled_from((1, 4, 64, 256)), strategies.floats(1.5, 60))


@strategies.composite
def _regions(draw) -> list[tuple[float, float, bool]]:
    """Draw shares of the memory, paces in bandwidths, and how they write."""
    region = strategies.tuples(
        strategies.floats(0.01, 0.5),
        strategies.one_of(strategies.floats(0.01, 1.1),
                          strategies.floats(1.1, 4)),
        strategies.booleans())
    if draw(strategies.booleans()):
        return [draw(region), draw(region)]
    share, pace, random = draw(region)
    return [(2 * share, pace, random)]


def _guest(scale: guests.Scale, *regions) -> guests.Guest:
    return guests.Guest('', scale.memory, tuple(
        guests.Region(share * scale.memory, pace * scale.bandwidth, random)
        for share, pace, random in regions),
        used=scale.memory, known=scale.memory)


def _move(guest: guests.Guest, scale: guests.Scale, way: world.Way,
          seed: int = 0) -> world.Outcome:
    return world.Migration(guest, scale.bandwidth, DOWNTIME_S, seed,
                           patience=7).run(way)


class TestSteadyGuests(testtools.TestCase):

    def setUp(self):
        super().setUp()
        self.useFixture(scripted.Names())

    def _ours(self, guest, scale, seed, weight=WEIGHT):
        way = ways.Ours(guest, weight)
        hypothesis.note((guest, outcome := _move(guest, scale, way, seed)))
        hypothesis.note(way.reason)
        return outcome

    @hypothesis.given(_scales, _regions(), strategies.integers(0, 1000))
    def test_never_much_worse_than_a_simple_rule(self, scale, regions, seed):
        guest = _guest(scale, *regions)
        simple = [_move(guest, scale, way)
                  for way in (ways.ONE_PASS, ways.NEVER)]
        for weight, bound in BOUNDS.items():
            best = min(outcome.cost(weight) for outcome in simple)
            cost = self._ours(guest, scale, seed, weight).cost(weight)
            hypothesis.target(cost / best, label=str(weight))
            self.assertLessEqual(cost, bound * best, weight)

    @hypothesis.given(_scales, strategies.floats(0.001, 0.6),
                      strategies.integers(0, 1000))
    def test_what_pre_copy_can_finish_soon_is_not_switched(
            self, scale, pace, seed):
        # Each pass takes at most 0.6 of the one before, all of them 2.5 times
        # the first: less than post-copy after the first pass, which counts 3.
        guest = _guest(scale, (1.0, pace, False))
        never = _move(guest, scale, ways.NEVER)
        ours = self._ours(guest, scale, seed)
        self.assertEqual((0.0, never.seconds), (ours.degraded, ours.seconds))

    @hypothesis.given(_scales, strategies.floats(0.001, 0.85),
                      strategies.floats(0.001, 10), strategies.booleans(),
                      strategies.integers(0, 1000))
    def test_what_fits_the_downtime_is_not_switched(
            self, scale, share, pace, random, seed):
        fits = DOWNTIME_S * scale.bandwidth / scale.memory
        ours = self._ours(_guest(scale, (share * fits, pace, random)),
                          scale, seed)
        self.assertEqual((0.0, 2), (ours.degraded, ours.passes))

    @hypothesis.given(_scales, strategies.floats(1.5, 10),
                      strategies.booleans(), strategies.integers(0, 1000))
    def test_what_dirties_everything_is_switched_at_once(
            self, scale, pace, random, seed):
        ours = self._ours(_guest(scale, (1.0, pace * (1 + random), random)),
                          scale, seed)
        # nova-compute looks four times a second, and the switch takes a tenth.
        self.assertLessEqual(ours.seconds, 1.25 * scale.complete_pass + 0.5)
