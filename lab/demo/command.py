# SPDX-License-Identifier: Apache-2.0

"""The main job: a server that pre-copy can never move is moved.

On the real lab by :mod:`.main_job`; where a machine cannot host it, on
simulated hosts by :mod:`.simulated`. Either way the outcome is one
:class:`lab.instruments.record.Record`, and the same table, ``demo.json`` and
``demo.png`` come of it.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
import contextlib
import pathlib
import sys

from lab.cloud import lifetime
from lab.cloud import preflight
from lab.cloud import speed
from lab import errors
from lab.instruments import record
from lab import layout
from lab import load
from lab import progress

# Makes one run; is told whether it is the last one.
Run = Callable[[bool], record.Record]


def main(argv: Sequence[str]) -> int:
    """Run the demo.

    :returns: the exit status; 0 only when every part of every proof holds
    """
    arguments = _parser().parse_args(argv)
    with load.busy_loops(arguments.load):
        return _main(arguments)


def _main(arguments: argparse.Namespace) -> int:
    say = progress.Progress(sys.stdout)
    lacks = [] if arguments.simulated else preflight.missing()
    if lacks:
        say('This machine cannot host the lab:')
        for sentence in lacks:
            say('  ' + sentence)
        say('So the hosts are simulated, and Nova runs in one process.')
    stage = (_simulated(say) if lacks or arguments.simulated
             else _in_lab(arguments.keep, say))
    with stage as run:
        if arguments.repeat == 1:
            made = run(True)
        else:
            return _repeat(run, arguments.repeat, arguments.output, say)
    return report(made, arguments.output)


def _repeat(run: Run, times: int, output: pathlib.Path,
            say: progress.Progress) -> int:
    """Run the demo again and again, each with a folder of its own.

    :returns: the exit status; 0 only when all runs end well
    """
    lines, failed = [], 0
    for number in range(1, times + 1):
        say('run %d of %d' % (number, times))
        try:
            made = run(number == times)
        except errors.LabError as exc:
            say('run %d FAILED: %s' % (number, exc))
            failed += 1
            lines.append('FAILED %s' % str(exc).splitlines()[0])
            continue
        failed += report(made, output / ('demo-%d' % number))
        lines.append(_summary(made))
        print(flush=True)
    print('\n'.join('run %d: %s' % each for each in enumerate(lines, 1)))
    print('%d of %d runs ended well.' % (times - failed, times))
    return 1 if failed else 0


def _summary(run: record.Record) -> str:
    """Say in one line how a run went."""
    attempt = run.attempts[-1]
    return '%-6s %s %s after %.1f s, longest silence %.2f s, %d wrong ' \
        'pages; limits %g times as long' % (
            'ok' if run.passed else 'FAILED',
            'post-copy' if attempt.post_copy else 'pre-copy',
            attempt.result, attempt.end - attempt.begin,
            run.longest_silence(attempt) or 0.0, run.wrong_pages,
            run.slowness)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='demo', description='Move a busy server by post-copy, prove that '
        'it arrived whole, and draw what it felt.')
    parser.add_argument(
        '--keep', action='store_true',
        help='leave the cloud and the server as they are at the end')
    parser.add_argument(
        '--simulated', action='store_true',
        help='on simulated hosts, also where the real lab is possible')
    parser.add_argument(
        '--repeat', type=int, default=1, metavar='N',
        help='N runs in one cloud, each with a new server and a new proof '
        '(default: %(default)s)')
    parser.add_argument(
        '--load', type=int, default=0, metavar='N',
        help='with N busy loops beside it (default: %(default)s)')
    parser.add_argument(
        '--output', type=pathlib.Path, default=layout.ROOT, metavar='DIR',
        help='where demo.png and demo.json go, in demo-1 and so on where '
        'there are several runs (default: %(default)s)')
    return parser


def report(run: record.Record, output: pathlib.Path) -> int:
    """Print the table and the proof, write ``demo.json`` and ``demo.png``.

    :param output: the folder; made when it is not there
    :returns: the exit status
    """
    # Slow to import, and not needed before.
    from lab.instruments import picture

    print()
    if run.simulated:
        print('SIMULATED HOSTS: the figures come from a model.\n')
    print('%s\n' % run.table())
    print('The proof%s:' % (', on SIMULATED HOSTS' if run.simulated else ''))
    for check in run.checks:
        print('  %-6s %s' % ('ok' if check.passed else 'FAILED',
                             check.sentence))
    output.mkdir(parents=True, exist_ok=True)
    print('\nWritten: %s, %s' % (run.save(output), picture.draw(run, output)))
    if not run.passed:
        print('The proof FAILED.')
    return 0 if run.passed else 1


@contextlib.contextmanager
def _simulated(say: progress.Progress) -> Iterator[Run]:
    for sentence in speed.refresh().notice():
        say(sentence)
    say('loading Nova and the simulated hosts')
    # Upstream's test fixtures change the process: only when needed.
    from lab.demo import simulated

    yield lambda is_last: simulated.run(say)


@contextlib.contextmanager
def _in_lab(keep: bool, say: progress.Progress) -> Iterator[Run]:
    # What it needs is not installed where the hosts are simulated.
    from lab.cloud import cloud as lab_cloud
    from lab.cloud import restore
    from lab.demo import main_job

    cloud = lab_cloud.Cloud(say=say)
    # A cloud that was there before is not ours to remove.
    was_up = cloud.is_up()

    def run(is_last: bool) -> record.Record:
        # What is removed with its cloud need not be deleted.
        delete = not is_last or was_up and not keep
        try:
            return main_job.run(cloud, say, delete)
        except errors.LabError:
            if not is_last:
                restore.restore(cloud, say)
            raise
        finally:
            if not is_last:
                speed.refresh()     # for the next run

    with lifetime.in_cloud(cloud, keep):
        yield run
