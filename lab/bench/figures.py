# SPDX-License-Identifier: Apache-2.0

"""From what was seen of one migration to its figures.

Pure: heartbeats and events in, a :class:`.result.Run` out.
"""

import bisect
from collections.abc import Mapping, Sequence

from lab.bench import result
from lab.instruments import record

# As libvirt calls it; libvirt-python is not needed to read a record.
_ON_DEMAND = 'memory_postcopy_requests'


def run(guest: str, mode: str, number: int, seen: record.Record,
        rate: float, statistics: Mapping[str, int],
        compute_cpu: float | None) -> result.Run:
    """Make the figures of one migration.

    :param seen: its record, with heartbeats and one attempt
    :param rate: work of the guest before the request (bytes/s)
    :param statistics: libvirt's last ones of the job
    :param compute_cpu: seconds of nova-compute
    """
    attempt = seen.attempts[-1]
    on_demand = statistics.get(_ON_DEMAND)
    return result.Run(
        guest=guest, mode=mode, number=number, source=seen.source,
        destination=seen.destination, result=attempt.result,
        observed=attempt.end - attempt.begin,
        total=attempt.after(record.COMPLETED),
        memory_complete=attempt.after(record.MEMORY_COMPLETE),
        switch=attempt.after(record.SWITCHED),
        degraded=attempt.after(record.MEMORY_COMPLETE, record.SWITCHED),
        silence=seen.longest_silence(attempt),
        lost_work=lost_work(seen.samples, attempt.begin, attempt.end, rate),
        rate=rate, moved=attempt.transferred, passes=attempt.passes,
        pages_on_demand=on_demand, compute_cpu=compute_cpu,
        wrong_pages=seen.wrong_pages)


def lost_work(samples: Sequence[record.Sample], begin: float, end: float,
              rate: float) -> float:
    """Say how much longer an undisturbed guest takes for less work.

    :param begin: seconds on the clock of the samples
    :param rate: work of the undisturbed guest (bytes/s)
    :returns: seconds of work that were not done between begin and end
    """
    return end - begin - (work_at(samples, end)
                          - work_at(samples, begin)) / rate


def rate_before(samples: Sequence[record.Sample], moment: float,
                seconds: float) -> float:
    """Return the work per second (bytes/s) up to a moment."""
    return (work_at(samples, moment)
            - work_at(samples, moment - seconds)) / seconds


def work_at(samples: Sequence[record.Sample], moment: float) -> float:
    """Return the work (bytes) up to a moment, between heartbeats as well.

    In a silence nothing is known but that the work of both ends is right; it
    counts as done evenly.

    :raises ValueError: when there are no heartbeats
    """
    if not samples:
        raise ValueError('the guest was not heard')
    stamps = [sample.time for sample in samples]
    index = bisect.bisect_right(stamps, moment)
    if index in (0, len(samples)):
        return samples[max(index - 1, 0)].work
    sooner, later = samples[index - 1], samples[index]
    share = (moment - sooner.time) / (later.time - sooner.time)
    return sooner.work + share * (later.work - sooner.work)
