# SPDX-License-Identifier: Apache-2.0

"""The main job: a server that pre-copy can never move is moved.

On the real lab by :mod:`.main_job`; where a machine cannot host it, on
simulated hosts by :mod:`.simulated`. Either way the outcome is one
:class:`lab.instruments.record.Record`, and the same table, ``demo.json`` and
``demo.png`` come of it.
"""

import argparse
from collections.abc import Sequence
import pathlib
import sys

from lab.cloud import lifetime
from lab.cloud import preflight
from lab.instruments import record
from lab import layout
from lab import progress


def main(argv: Sequence[str]) -> int:
    """Run the demo.

    :returns: the exit status; 0 only when every part of the proof holds
    """
    arguments = _parser().parse_args(argv)
    say = progress.Progress(sys.stdout)
    lacks = [] if arguments.simulated else preflight.missing()
    if lacks:
        say('This machine cannot host the lab:')
        for sentence in lacks:
            say('  ' + sentence)
        say('So the hosts are simulated, and Nova runs in one process.')
    if lacks or arguments.simulated:
        run = _run_simulated(say)
    else:
        run = _run_in_lab(arguments.keep, say)
    return report(run, arguments.output)


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
        '--output', type=pathlib.Path, default=layout.ROOT, metavar='DIR',
        help='where demo.png and demo.json go (default: %(default)s)')
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


def _run_simulated(say: progress.Progress) -> record.Record:
    say('loading Nova and the simulated hosts')
    # Upstream's test fixtures change the process: only when needed.
    from lab.demo import simulated

    return simulated.run(say)


def _run_in_lab(keep: bool, say: progress.Progress) -> record.Record:
    # What it needs is not installed where the hosts are simulated.
    from lab.cloud import cloud as lab_cloud
    from lab.demo import main_job

    cloud = lab_cloud.Cloud(say=say)
    # A cloud that was there before is not ours to remove.
    was_up = cloud.is_up()
    try:
        cloud.up()
        return main_job.run(cloud, say, delete=was_up and not keep)
    finally:
        if not (was_up or keep):
            lifetime.undisturbed(cloud.down)
