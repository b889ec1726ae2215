# SPDX-License-Identifier: Apache-2.0

"""Carry out the plan: visit after visit, each run saved as it is made."""

from __future__ import annotations

from collections.abc import Sequence
import pathlib
import typing

from lab.bench import bare
from lab.bench import computes
from lab.bench import guests
from lab.bench import modes
from lab.bench import nova_way
from lab.bench import plan
from lab.bench import result
from lab.bench import servers
from lab.cloud import bringup
from lab.cloud import restore
from lab import errors
from lab import layout

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud
    from lab import progress


class Runner:
    """All runs of a bench.

    :param cloud: a :class:`lab.cloud.cloud.Cloud` that is up, without servers
    :param bench: what is known so far; each run is added
    :param folder: where ``bench.json`` is
    :param seed: of the moments of the requests
    :param say: a :class:`lab.progress.Progress`
    """

    def __init__(self, cloud: lab_cloud.Cloud, bench: result.Bench,
                 folder: pathlib.Path, seed: int,
                 say: progress.Progress) -> None:
        self._cloud = cloud
        self._bench = bench
        self._folder = folder
        self._seed = seed
        self._say = say
        self._computes = computes.Computes(cloud)

    def run(self, visits: Sequence[plan.Visit]) -> None:
        """Make all runs; one that fails does not keep the others from it."""
        servers.clear(self._cloud)
        for name in {visit.guest for visit in visits}:
            guests.upload_image(self._cloud, guests.GUESTS[name])
        with self._computes:
            for index, visit in enumerate(visits):
                minutes = plan.seconds_left(
                    visits[index:], self._bench.durations()) / 60
                self._say('%s, round %d: %s (about %.0f min left)' % (
                    guests.GUESTS[visit.guest].title, visit.number,
                    ', '.join(visit.modes), minutes))
                self._visit(visit)

    def _visit(self, visit: plan.Visit) -> None:
        """Boot, make the runs, delete."""
        busy = None
        for mode in visit.modes:
            try:
                if busy is None:
                    busy = self._boot(visit)
                run = self._run(busy, visit, mode)
            except Exception as exc:
                run = result.Run(
                    guest=visit.guest, mode=mode, number=visit.number,
                    source='', destination='', result='failed',
                    error='%s: %s' % (type(exc).__name__, exc))
            self._bench.add(run)
            self._bench.save(self._folder)
            self._say('  %-15s %s' % (mode, told(run)))
            if run.result == 'failed':
                if busy is not None:
                    busy.pulse.stop()
                    busy = None
                self._restore()
        if busy is not None:
            busy.delete()

    def _boot(self, visit: plan.Visit) -> servers.Server:
        there = self._computes.options
        return servers.boot(self._cloud, guests.GUESTS[visit.guest],
                            plan.first_host(visit, list(there), there))

    def _run(self, busy: servers.Server, visit: plan.Visit,
             name: str) -> result.Run:
        needed = plan.needed_options(visit, name, *busy.hosts(),
                                     self._computes.options)
        if needed is not None:
            self._computes.configure(needed)
        kind, mode = guests.GUESTS[visit.guest], modes.MODES[name]
        way = (bare.BareWay(self._cloud, busy, kind) if mode.bare else
               nova_way.NovaWay(self._cloud, busy, kind, mode))
        return way.run(visit.number,
                       plan.phase(kind, visit.number, self._seed))

    def _restore(self) -> None:
        if bringup.missing(self._cloud):
            raise errors.LabError(
                'the lab has lost processes: %s. "./run bench --resume" '
                'continues where this ended; the logs are in %s' % (
                    ', '.join(bringup.missing(self._cloud)), layout.LOGS))
        restore.restore(self._cloud, self._say)


def told(run: result.Run) -> str:
    """Say in one line how a run went."""
    if run.result == 'failed':
        return 'FAILED: %s' % run.error
    wrong = ('; %d WRONG PAGES' % run.wrong_pages if run.wrong_pages else '')
    return '%s: %s, %.1f s of work lost, silent for %.2f s%s' % (
        '%s to %s' % (run.source, run.destination),
        '%.1f s' % run.total if run.total is not None
        else 'no end within %.0f s' % run.observed,
        run.lost_work, run.silence, wrong)
