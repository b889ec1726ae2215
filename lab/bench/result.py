# SPDX-License-Identifier: Apache-2.0

"""``bench.json``: everything that was measured, and how to measure it again.

A file says when, where and how it was made, and has each single run: whoever
doubts a median can make it again.
"""

import dataclasses
import json
import pathlib

from lab.bench import plan
from lab import output

NAME = 'bench.json'


@dataclasses.dataclass
class Run:
    """One migration, as it was measured; times in seconds.

    What did not happen, or was not measured, is None.

    :param number: of the round
    :param result: 'completed', 'aborted' at the limit of its mode, 'failed'
    :param observed: from the request to the end that the result names
    :param accepted: from the request until the API has answered it
    :param total: from the request until Nova (virsh) says that it is there
    :param memory_complete: from the request until no page is left behind
    :param switch: from the request until the guest was stopped to switch
    :param degraded: from the switch until no page is left behind
    :param silence: longest time without a sign of the guest
    :param lost_work: what an undisturbed guest would have done in that time,
        in seconds of its work
    :param rate: work of the guest before the request, in bytes/s
    :param moved: bytes of memory that crossed the network
    :param passes: complete passes over memory before the switch
    :param pages_on_demand: that the guest waited for
    :param compute_cpu: seconds of processor of nova-compute on the source
    :param wrong_pages: that were not what the guest had written
    :param told: of the switch and its reason, in the instance's actions
    :param error: why it failed
    """

    guest: str
    mode: str
    number: int
    source: str
    destination: str
    result: str
    observed: float | None = None
    accepted: float | None = None
    total: float | None = None
    memory_complete: float | None = None
    switch: float | None = None
    degraded: float | None = None
    silence: float | None = None
    lost_work: float | None = None
    rate: float | None = None
    moved: int | None = None
    passes: int | None = None
    pages_on_demand: int | None = None
    compute_cpu: float | None = None
    wrong_pages: int = 0
    told: str | None = None
    error: str | None = None

    @property
    def key(self) -> plan.Key:
        return self.guest, self.mode, self.number


@dataclasses.dataclass
class Bench:
    """A bench, complete or not.

    :param conditions: machine, versions, commands, seed, memory (bytes) of
        the guests and bandwidth (bytes/s) of the network between the hosts
    :param network: of real ports, see :mod:`.network`
    :param costs: how they grow: 'api', 'evacuation', 'monitors'; see
        :mod:`.api_latency`, :mod:`.evacuation`, :mod:`.monitors`
    """

    conditions: dict
    runs: list[Run] = dataclasses.field(default_factory=list)
    network: list[Run] = dataclasses.field(default_factory=list)
    costs: dict[str, dict] = dataclasses.field(default_factory=dict)

    @property
    def ideal(self) -> float:
        """Seconds that one copy of a guest's RAM takes."""
        return self.conditions['memory'] / self.conditions['bandwidth']

    def done(self) -> set[plan.Key]:
        """Return the runs that need not be made again."""
        return {run.key for run in self.runs if run.result != 'failed'}

    def durations(self) -> dict[tuple[str, str], list[float]]:
        """Return how long migrations took, by guest and mode."""
        found: dict[tuple[str, str], list[float]] = {}
        for run in self.runs:
            if run.observed is not None:
                found.setdefault((run.guest, run.mode), []).append(
                    run.observed)
        return found

    def add(self, run: Run) -> None:
        """Add a run, in place of the same one that failed before."""
        self.runs = [other for other in self.runs if other.key != run.key]
        self.runs.append(run)

    def save(self, folder: pathlib.Path) -> pathlib.Path:
        """Write ``bench.json``; one that is there is replaced at once.

        :returns: its path
        """
        path = folder / NAME
        output.save_json(path, dataclasses.asdict(self), sort_keys=True)
        return path


def load(path: pathlib.Path) -> Bench:
    """Read a ``bench.json``.

    :raises FileNotFoundError: there is none
    :raises ValueError: it is something else
    """
    try:
        content = json.loads(path.read_text())
        for name in ('runs', 'network'):
            content[name] = [Run(**run) for run in content[name]]
        return Bench(**content)
    except (KeyError, TypeError) as exc:
        raise ValueError('%s is no bench.json: %s' % (path, exc)) from exc
