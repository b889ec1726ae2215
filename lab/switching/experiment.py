# SPDX-License-Identifier: Apache-2.0

"""The cost of each way to switch, for each guest, and of each rule."""

from collections.abc import Iterator
import contextlib
import functools
import math
import statistics
import typing

from lab.switching import guests
from lab.switching import ways
from lab.switching import world
from nova_post_copy.decisions import workload

WEIGHTS = (0.5, 1.0, 2.0, 3.0, 5.0)
DEFAULT_WEIGHT = 2.0
# Random seeds of the noise in what nova-compute sees.
SEEDS = (1, 2, 3)
# Passes after which the best way in hindsight may switch.
PASSES = (0, 1, 2, 3, 4, 5, 6, 8, 12, 20)
DOWNTIME_S = 0.5    # Nova's default
GROWTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


class Case(typing.NamedTuple):
    """The outcomes of one guest, moved in all ways."""

    scale: guests.Scale
    guest: guests.Guest
    ours: dict[float, list[world.Outcome]]  #: of each weight
    after: dict[float, world.Outcome]       #: so many passes; inf: never

    def cost(self, outcome: world.Outcome, weight: float) -> float:
        """Return the cost in seconds, as the decision counts them."""
        stall = self.guest.page_size / self.scale.bandwidth / DOWNTIME_S
        return outcome.cost(weight * max(1.0, stall))

    def our_cost(self, weight: float) -> float:
        return statistics.fmean(
            self.cost(outcome, weight) for outcome in self.ours[weight])

    def best(self, weight: float) -> float:
        """Return the cost of the best way in hindsight."""
        return min(self.cost(outcome, weight)
                   for outcome in self.after.values())

    def regret(self, weight: float) -> float:
        """Return our cost as a multiple of the best."""
        return self.our_cost(weight) / self.best(weight)


def move(guest: guests.Guest, scale: guests.Scale, way: world.Way,
         seed: int = 0) -> world.Outcome:
    return world.Migration(
        guest, scale.bandwidth, DOWNTIME_S, seed).run(way)


def compare(guest: guests.Guest, scale: guests.Scale,
            weights: typing.Iterable[float] = WEIGHTS,
            seeds: typing.Iterable[int] = SEEDS) -> Case:
    """Move a guest in all ways."""
    return Case(
        scale, guest,
        {weight: [move(guest, scale, ways.Ours(guest, weight), seed)
                  for seed in seeds] for weight in weights},
        {passes: move(guest, scale, ways.After(passes))
         for passes in (*PASSES, math.inf)})


def cases() -> list[Case]:
    """Compare all kinds of guests of all sizes."""
    return [compare(guest, scale) for scale in guests.SCALES
            for guest in guests.kinds(scale)]


class Growth(typing.NamedTuple):
    """The mean regrets under one assumption about growth."""

    exponent: float
    measured: float
    unmeasured: float   #: QEMU is too old to measure


def growths(count: int) -> list[Growth]:
    """Compare assumptions about a guest that was observed only once.

    :param count: number of guests, drawn at random
    """
    some = list(guests.steady_guests(1, count))
    best = [compare(guest, scale, weights=()).best(DEFAULT_WEIGHT)
            for guest, scale in some]

    def mean(way) -> float:
        return statistics.fmean(
            move(guest, scale, way(guest, DEFAULT_WEIGHT)).cost(
                DEFAULT_WEIGHT) / least
            for (guest, scale), least in zip(some, best, strict=True))

    found = []
    for exponent in GROWTHS:
        with _expecting(exponent):
            found.append(Growth(exponent, mean(ways.Ours), mean(
                functools.partial(ways.Ours, measures=False))))
    return found


@contextlib.contextmanager
def _expecting(exponent: float) -> Iterator[None]:
    usual = workload.USUAL_GROWTH
    workload.USUAL_GROWTH = exponent
    try:
        yield
    finally:
        workload.USUAL_GROWTH = usual
