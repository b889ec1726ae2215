# SPDX-License-Identifier: Apache-2.0

"""How slow this machine is, and what follows from it.

A known piece of work is done in as many processes as a request keeps busy,
all at once: the guest, and the service whose turn it is. How much longer than
on the reference it takes is the factor of every limit in the lab
(:func:`lab.wait.scaled`). It is measured when the cloud is brought up, and
again before each run of the demo, each case and each test, at times when no
guest is at work: load comes and goes. A bench keeps one factor from its begin
to its end, so that its runs stay comparable. The lab's record of its owner
keeps it, so that every command has it.
"""

import dataclasses
import pathlib
import statistics
import subprocess
import sys

from lab.cloud import lock
from lab import wait

PROCESSES = 2
ROUNDS = 3          # the median of them counts
_ENOUGH_S = 3.0     # of work
# The work, and what it takes with Python 3.11 on a processor of 2023 (AMD
# EPYC, 2.4 GHz) that has nothing else to do.
_STEPS = 2_000_000
REFERENCE_S = 0.28
# The limits hold up to there as they are written.
TOLERATED_FACTOR = 1.5
# A link is slowed down by no more than that: pages that the guest waits for
# cross it, too.
_LINK_FACTOR = 4.0


@dataclasses.dataclass(frozen=True)
class Speed:
    """One measurement.

    :param seconds: that the work took
    :param reference: seconds that it takes on the reference
    """

    seconds: float
    reference: float = REFERENCE_S

    @property
    def factor(self) -> float:
        """How many times longer everything may take; 1: it is not slow."""
        ratio = self.seconds / self.reference
        return 1.0 if ratio <= TOLERATED_FACTOR else round(ratio, 1)

    def notice(self) -> list[str]:
        """Say what that means for the reader; nothing: it is not slow."""
        if self.factor == 1:
            return []
        return [
            'This machine is slow at the moment: what takes %.2f s on the '
            'reference took %.2f s.' % (self.reference, self.seconds),
            'All limits are %g times longer, and the figures cannot be '
            'compared with those of other machines.' % self.factor]


def measure(rounds: int = ROUNDS) -> Speed:
    """Do the work; takes a second where the machine is not slow.

    :param rounds: at most; there is no doubt about a slow one
    """
    seconds = []
    while len(seconds) < rounds and sum(seconds) < _ENOUGH_S:
        seconds.append(_round())
    return Speed(statistics.median(seconds))


def refresh(rounds: int = ROUNDS) -> Speed:
    """Measure, and have the limits follow, here and in later commands."""
    speed = measure(rounds)
    wait.slowness = speed.factor
    if lock.is_ours():
        lock.own({**lock.owner(), 'slowness': speed.factor})
    return speed


def recall() -> None:
    """Have the limits follow what the command that owns the lab measured."""
    if lock.is_ours():
        wait.slowness = lock.owner().get('slowness', 1.0)


def slowed(bandwidth: int) -> int:
    """Return the bandwidth of a link on which phases outlast the services.

    :param bandwidth: bytes/s that do so where the machine is not slow
    """
    return int(bandwidth / min(wait.slowness, _LINK_FACTOR))


def _round() -> float:
    """Return the seconds that the slowest of the processes took."""
    workers = [subprocess.Popen(
        [sys.executable, '-S', '-E', pathlib.Path(__file__).with_name(
            'speed_work.py'), str(_STEPS)],
        text=True, stdout=subprocess.PIPE) for _ in range(PROCESSES)]
    return max(float(worker.communicate()[0]) for worker in workers)
