# SPDX-License-Identifier: Apache-2.0

"""How long requests take, of several kinds that take turns."""

from collections.abc import Callable, Mapping, Sequence
import random
import statistics
import time


class Timed:
    """The kinds of requests, and how long each of them has taken (s)."""

    def __init__(self, kinds: dict[str, Callable[[], None]]) -> None:
        self._kinds = kinds
        self.seconds: dict[str, list[float]] = {name: [] for name in kinds}

    def run(self, rounds: int, seed: int) -> None:
        """Make so many requests of each kind, in random order."""
        order = random.Random(seed)
        names = list(self._kinds)
        for _ in range(rounds):
            order.shuffle(names)
            for name in names:
                begun = time.perf_counter()
                self._kinds[name]()
                self.seconds[name].append(time.perf_counter() - begun)


def compared(seconds: Mapping[str, Sequence[float]],
             pairs: Mapping[str, tuple[str, str]]) -> list[dict]:
    """Compare medians.

    :param seconds: of each kind
    :param pairs: what is compared: the kind at our version, and below it
    """
    found = []
    for what, (ours, below) in pairs.items():
        medians = [statistics.median(seconds[name]) for name in (below, ours)]
        found.append({
            'request': what, 'requests': len(seconds[ours]),
            'below': medians[0], 'ours': medians[1],
            'ratio': medians[1] / medians[0],
            'deciles_below': statistics.quantiles(seconds[below], n=10),
            'deciles_ours': statistics.quantiles(seconds[ours], n=10)})
    return found
