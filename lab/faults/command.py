# SPDX-License-Identifier: Apache-2.0

"""``python -m lab faults``: run cases in the lab, print and write the table.

The exit status is 0 only when no case violated the invariant.
"""

import argparse
from collections.abc import Iterator
from collections.abc import Sequence
import contextlib
import pathlib
import sys

from lab.cloud import bringup
from lab.cloud import cloud as lab_cloud
from lab.cloud import lifetime
from lab.cloud import restore
from lab.cloud import speed
from lab.cloud import storage
from lab.faults.case import Case
from lab.faults import computes
from lab.faults import draw
from lab.faults import evidence
from lab.faults import matrix
from lab.faults import report
from lab.faults import runner
from lab.faults import scene
from lab.faults import selection
from lab.faults import switch
from lab import layout
from lab import load
from lab import output
from lab import progress

_EVIDENCE = layout.STATE / 'faults'
# How many cases are drawn for each one that is asked for, at most: those whose
# moment was missed are drawn again.
_DRAWS = 3


def main(argv: Sequence[str]) -> int:
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.list:
        print(output.columns(selection.listed()))
        return 0
    if arguments.random and arguments.storage != 'local':
        parser.error('--random draws for --storage local')
    with load.busy_loops(arguments.load):
        return _main(arguments)


def _main(arguments: argparse.Namespace) -> int:
    say = progress.Progress(sys.stdout)
    cases = _cases(arguments)
    count = arguments.random or len(cases)
    cloud = lab_cloud.Cloud(ports=True, storage=arguments.storage, say=say)
    drawn = ('random' if arguments.random else
             'switch' if arguments.switch else None)
    path = arguments.output / report.name(
        drawn, arguments.upstream, arguments.storage)
    results = []
    with lifetime.in_cloud(cloud, arguments.keep), contextlib.closing(
            run(cloud, cases, arguments.upstream, say)) as all_results:
        for result in (report.counted(all_results, count)
                       if arguments.random else all_results):
            results.append(result)
            say('    %d of %d' % (len(results), count))
            # Each time: what is interrupted leaves what it has seen.
            report.save(results, arguments.upstream, path, arguments.storage)
    print('\n%s\n' % report.table(results))
    print('Written: %s' % path)
    violated = sum(bool(result.violations) for result in results)
    print('%d cases, %d violated the invariant' % (len(results), violated))
    slowness = max((result.observation.slowness for result in results),
                   default=1)
    if slowness > 1:
        print('The machine was slow: limits were up to %g times as long; '
              'what was permitted is in the file.' % slowness)
    return 1 if violated or not results else 0


def run(cloud: lab_cloud.Cloud, cases: Sequence[tuple[Case, int]],
        with_upstream: bool, say: progress.Progress
        ) -> Iterator[report.Result]:
    """Run cases, each with its seed.

    :param with_upstream: against upstream's driver
    :param say: a :class:`lab.progress.Progress`
    """
    scene.upload_image(cloud)
    with computes.ready(cloud, with_upstream):
        for case, seed in cases:
            say('%s (seed %d): %s' % (case.name, seed, case.description))
            result = _run_one(cloud, case, seed, with_upstream, say)
            say('    ' + result.verdict)
            yield result


def _run_one(cloud: lab_cloud.Cloud, case: Case, seed: int,
             with_upstream: bool, say: progress.Progress) -> report.Result:
    speed.refresh()
    logs = evidence.Evidence()
    running = runner.Runner(cloud, case, seed, with_upstream, say)
    try:
        with computes.as_in(case, cloud):
            violations = running.run()
    except Exception as exc:
        violations = ['the case could not be carried out: %s' % exc]
    if violations:
        folder = _EVIDENCE / ('%s-%d' % (case.name, seed))
        logs.keep(folder)
        say('    the logs of this case are in %s' % folder)
        if bringup.missing(cloud):
            cloud.up(again=True)
            scene.upload_image(cloud)
        else:
            restore.restore(cloud, say)
    return report.Result(running.observation, violations)


def _cases(arguments: argparse.Namespace) -> Sequence[tuple[Case, int]]:
    if arguments.random:
        return [(draw.draw(arguments.seed, number), arguments.seed)
                for number in range(_DRAWS * arguments.random)]
    seeds = range(arguments.seed, arguments.seed + arguments.seeds)
    if arguments.switch:
        return [(case, seed) for seed in seeds for case in switch.cases(seed)]
    return [(case, seed) for case in selection.select(
        arguments.case, arguments.storage) for seed in seeds]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='faults', description='Break the cloud while a busy server '
        'moves by post-copy, and see that it is never lost and never twice.')
    parser.add_argument(
        '--case', action='append', choices=list(matrix.CASES),
        metavar='NAME', help='only this one; may be given again')
    parser.add_argument('--list', action='store_true',
                        help='say which cases there are')
    parser.add_argument(
        '--seeds', type=int, default=1, metavar='N',
        help='run each case at N moments (default: %(default)s)')
    parser.add_argument(
        '--random', type=int, metavar='N',
        help='draw N cases, fault and moment, in place of those with a name')
    parser.add_argument(
        '--switch', action='store_true',
        help='faults of the network at %d moments around the switch, in '
        'place of the cases with a name' % switch.COUNT)
    parser.add_argument(
        '--seed', type=int, default=1, metavar='S',
        help='of the first moment, or of the draw (default: %(default)s)')
    parser.add_argument(
        '--storage', choices=list(storage.KINDS), default='local',
        help='where the disks of servers are; ceph: each server has a volume '
        'of Cinder, too (default: %(default)s)')
    parser.add_argument(
        '--upstream', action='store_true',
        help="against upstream's driver, to see the difference")
    parser.add_argument(
        '--load', type=int, default=0, metavar='N',
        help='with N busy loops beside it (default: %(default)s)')
    parser.add_argument(
        '--keep', action='store_true', help='leave the cloud as it is')
    parser.add_argument(
        '--output', type=pathlib.Path, default=layout.ROOT, metavar='DIR',
        help='where faults.json goes; faults-random.json, '
        'faults-switch.json, faults-ceph.json, faults-upstream.json '
        '(default: %(default)s)')
    return parser
