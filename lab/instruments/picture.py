# SPDX-License-Identifier: Apache-2.0

"""``demo.png``: the guest's heartbeat over both attempts."""

import bisect
import itertools
import pathlib

from matplotlib import axes as plot
from matplotlib import figure
from matplotlib import layout_engine

from lab import guest
from lab.instruments import record
from lab import layout

SOURCE = '#4878a8'
DESTINATION = '#e08a3c'
ATTEMPT = '#f1f0ea'
INK = '#303030'
FAINT = '#707070'
MARGIN_S = 1.5  # shown before and after
TITLE = 'A server writes its memory faster than the network can carry it'
SIMULATED = 'SIMULATED HOSTS'


def draw(run: record.Record, folder: pathlib.Path) -> pathlib.Path:
    """Write ``demo.png``: the whole run, and its last attempt enlarged.

    :returns: its path
    :raises ValueError: for a run without heartbeats or attempts
    """
    if not (run.samples and run.attempts):
        raise ValueError('There is nothing to draw.')
    canvas = figure.Figure(
        figsize=(12, 7.6), layout=layout_engine.ConstrainedLayoutEngine(
            h_pad=0.1, w_pad=0.1, hspace=0.06))
    canvas.suptitle(
        '%s: %s' % (SIMULATED, TITLE[0].lower() + TITLE[1:])
        if run.simulated else TITLE,
        x=0.012, ha='left', fontsize=15, color=INK, weight='bold')
    whole, near = canvas.subplots(2, 1, height_ratios=[1, 1.2])
    first, last = run.attempts[0], run.attempts[-1]
    _draw_work(whole, run, first.begin, last.end, step=0.2)
    for attempt in run.attempts:
        _draw_attempt(whole, run, attempt)
    whole.set_title(_outcome(run), loc='left', fontsize=11, color=INK,
                    pad=12)
    whole.set_xlabel('seconds since the first request', color=FAINT)
    whole.legend(loc='lower left', framealpha=0.9)
    _draw_work(near, run, last.begin, last.end, step=0.05)
    _draw_events(near, last)
    _draw_silence(near, run, last)
    near.set_xlabel('seconds since this request\n\n' + _conditions(run),
                    color=FAINT)
    path = folder / 'demo.png'
    canvas.savefig(path, dpi=110)
    return path


def rates(samples: list[record.Sample], begin: float, end: float,
          step: float) -> tuple[list[float], list[float]]:
    """Turn heartbeats into work per second.

    :param step: approximate length of a step (s); steps are of equal length
    :returns: the edges of the steps (s) and the work in each (MiB/s)
    """
    stamps = [sample.time for sample in samples]

    def work(moment: float) -> int:
        index = bisect.bisect_right(stamps, moment)
        return samples[max(index - 1, 0)].work

    count = max(1, round((end - begin) / step))
    edges = [begin + (end - begin) * n / count for n in range(count + 1)]
    return edges, [(work(later) - work(sooner)) / (later - sooner)
                   / layout.MIB for sooner, later in itertools.pairwise(edges)]


def _draw_work(axes: plot.Axes, run: record.Record, begin: float, end: float,
               step: float) -> None:
    """Draw the guest's work, each host's part in its own colour.

    The axis of time begins at ``begin``.
    """
    since = max(begin - MARGIN_S, run.samples[0].time)
    until = min(end + MARGIN_S, run.samples[-1].time)
    switch = min((moment for attempt in run.attempts if (
        moment := attempt.at(record.SWITCHED)) is not None), default=until)
    highest = 0.0
    for host, colour, sooner, later in (
            (run.source, SOURCE, since, switch),
            (run.destination, DESTINATION, switch, until)):
        if sooner >= later:
            continue
        edges, work = rates(run.samples, sooner, later, step)
        axes.stairs(work, [edge - begin for edge in edges], fill=True,
                    color=colour, label='the guest runs on ' + host)
        highest = max(highest, *work)
    axes.set_xlim(since - begin, until - begin)
    axes.set_ylim(0, highest * 1.5 or 1)    # room for words
    axes.set_ylabel('memory that the\nguest wrote (MiB/s)', color=INK)
    axes.spines[['top', 'right']].set_visible(False)
    axes.tick_params(colors=FAINT)


def _draw_attempt(axes: plot.Axes, run: record.Record,
                  attempt: record.Attempt) -> None:
    """Label an attempt with its request and its end."""
    zero = run.attempts[0].begin
    axes.axvspan(attempt.begin - zero, attempt.end - zero, color=ATTEMPT,
                 zorder=0)
    completed = attempt.after(record.COMPLETED)
    if completed is None:
        end = 'did not come to an end, aborted after %.0f s:\n' % (
            attempt.after(record.ABORTED) or attempt.end - attempt.begin)
    else:
        end = 'completed in %.1f s:\n' % completed
    # A short attempt at the right end has its words to the left of it.
    last = attempt is run.attempts[-1]
    axes.annotate(
        '%s\n%smoved %.1f times its RAM' % (
            attempt.request, end, attempt.transferred / run.memory),
        ((attempt.end if last else attempt.begin) - zero, 0.97),
        xycoords=('data', 'axes fraction'), xytext=(-4 if last else 4, 0),
        textcoords='offset points', ha='right' if last else 'left', va='top',
        fontsize=9.5, color=INK)


def _draw_events(axes: plot.Axes, attempt: record.Attempt) -> None:
    """Mark the switch, the last page and the end of an attempt."""
    for name, text, side in (
            (record.REQUESTED, 'request', 'left'),
            (record.SWITCHED, 'switch\n%.1f s', 'left'),
            # The end may follow at once: there would be no room between.
            (record.MEMORY_COMPLETE, 'all memory\nhas arrived\n%.1f s',
             'right'),
            (record.COMPLETED, 'completed\n%.1f s', 'left')):
        moment = attempt.after(name)
        if moment is None:
            continue
        axes.axvline(moment, ymax=0.97, color=INK, linewidth=1,
                     linestyle='--')
        axes.annotate(
            text % moment if '%' in text else text, (moment, 0.97),
            xycoords=('data', 'axes fraction'),
            xytext=(4 if side == 'left' else -4, 0),
            textcoords='offset points', ha=side, va='top', fontsize=9.5,
            color=INK)
    axes.set_title(attempt.request, loc='left', fontsize=11, color=INK)


def _draw_silence(axes: plot.Axes, run: record.Record,
                  attempt: record.Attempt) -> None:
    """Label an attempt with the longest silence of the guest."""
    silence = run.longest_silence(attempt)
    if silence is not None:
        axes.set_title('longest silence of the guest: %.2f s' % silence,
                       loc='right', fontsize=11, color=INK)


def _outcome(run: record.Record) -> str:
    if not run.passed:
        return 'The proof FAILED: %s' % ', '.join(
            check.name for check in run.checks if not check.passed)
    total = run.attempts[-1].after(record.COMPLETED)
    assert total is not None    # what the proof is about
    moved = ('Pre-copy does not come to an end; post-copy moved it in %.1f s.'
             % total)
    # A model has no pages that could be wrong.
    return moved if run.simulated else (
        '%s Of %.1f million pages that the guest checked, none was wrong.'
        % (moved, run.samples[-1].work / guest.PAGE_BYTES / 1e6))


def _conditions(run: record.Record) -> str:
    return ('%d MiB of RAM, %d MiB of them written over and over; '
            '%d MiB/s between the hosts; %s' % (
                run.memory / layout.MIB, run.working_set / layout.MIB,
                run.bandwidth / layout.MIB,
                'the hosts are simulated: a fake libvirt and a model of a '
                'migrating guest' if run.simulated
                else 'libvirt and QEMU with an emulated processor'))
