# SPDX-License-Identifier: Apache-2.0

"""``./run bench``: make the runs, print the tables, write what came of it.

The exit status is 0 only when every goal is met.
"""

import argparse
from collections.abc import Sequence
import pathlib
import subprocess
import sys

from lab.bench import api_latency
from lab.bench import conditions
from lab.bench import costs
from lab.bench import evacuation
from lab.bench import guests
from lab.bench import modes
from lab.bench import network
from lab.bench import plan
from lab.bench import report
from lab.bench import result
from lab.bench import runner
from lab.bench import summary
from lab.bench import tail
from lab.cloud import cloud as lab_cloud
from lab.cloud import lifetime
from lab import layout
from lab import progress


def main(argv: Sequence[str]) -> int:
    arguments = _parser().parse_args(argv)
    say = progress.Progress(sys.stdout)
    cloud = lab_cloud.Cloud(ports=arguments.network, say=say)
    with lifetime.in_cloud(cloud, arguments.keep):
        bench = _begin(cloud, arguments)
        _measure(cloud, arguments, bench, say)
    return show(bench, arguments.output)


def show(bench: result.Bench, folder: pathlib.Path) -> int:
    """Print the tables and the goals, draw the picture.

    :returns: the exit status
    """
    # Slow to import, and not needed before.
    from lab.bench import picture

    goals = summary.goals(bench) + costs.goals(bench)
    print('\n%s\n' % report.text(bench))
    if bench.runs:
        print('Written: %s' % picture.draw(bench, folder))
    print('Written: %s\n\nThe goals:\n%s' % (
        bench.save(folder), report.judged(goals)))
    return 0 if all(goal.passed for goal in goals) else 1


def _begin(cloud: lab_cloud.Cloud,
           arguments: argparse.Namespace) -> result.Bench:
    """Return a new bench, or the one that is there."""
    if arguments.resume or arguments.network or arguments.only_costs:
        try:
            bench = result.load(arguments.output / result.NAME)
        except FileNotFoundError:
            pass        # nothing was measured yet
        else:
            if arguments.resume:
                bench.conditions = conditions.look(
                    cloud, bench.conditions['seed'], arguments.runs)
            return bench
    return result.Bench(conditions.look(
        cloud, arguments.seed, arguments.runs))


def _measure(cloud: lab_cloud.Cloud, arguments: argparse.Namespace,
             bench: result.Bench, say: progress.Progress) -> None:
    """Measure what is asked for; each part is saved when it is complete."""
    if not (arguments.network or arguments.only_costs):
        visits = plan.visits(arguments.guests, arguments.modes,
                             arguments.runs, bench.done())
        runner.Runner(cloud, bench, arguments.output,
                      bench.conditions['seed'], say).run(visits)
        bench.costs['tail'] = {'migrations': [
            each._asdict() for each in tail.read(
                {host.name: host.compute.log
                 for host in cloud.hosts.values()})]}
        bench.save(arguments.output)
    if arguments.network:
        say('how long a server with a port cannot be reached')
        network.measure(cloud, bench, arguments.runs, say)
        bench.save(arguments.output)
    if arguments.costs or arguments.only_costs:
        _measure_costs(cloud, bench, arguments.output, say)


def _measure_costs(cloud: lab_cloud.Cloud, bench: result.Bench,
                   folder: pathlib.Path, say: progress.Progress) -> None:
    say('what it costs to empty a host')
    bench.costs['evacuation'] = evacuation.measure(cloud, say)
    bench.save(folder)
    say('what a request costs')
    bench.costs['api'] = api_latency.measure(
        cloud, bench.conditions['seed'], say)
    path = bench.save(folder)
    say('what it costs to watch many migrations')
    # It is a nova-compute of its own, as far as Nova's code is concerned.
    subprocess.run([sys.executable, '-m', 'lab.bench.monitors', '--output',
                    folder.resolve()], check=True, cwd=layout.ROOT)
    bench.costs = result.load(path).costs


def _names(known: Sequence[str]):
    """Return what makes a list of names of an argument."""
    def parse(text: str) -> list[str]:
        found = text.split(',')
        if wrong := set(found) - set(known):
            raise argparse.ArgumentTypeError('%s: choose from %s' % (
                ', '.join(sorted(wrong)), ', '.join(known)))
        return found

    return parse


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='bench', description='Move the same guests in every way there '
        'is, side by side in one lab, and compare what it took and what it '
        'cost them.')
    for name, known in (('guests', guests.GUESTS), ('modes', modes.MODES)):
        parser.add_argument(
            '--' + name, type=_names(list(known)), default=list(known),
            metavar='NAME,...', help='only these of %s' % ', '.join(known))
    parser.add_argument(
        '--runs', type=int, default=5, metavar='N',
        help='of each guest in each mode (default: %(default)s)')
    parser.add_argument(
        '--seed', type=int, default=1, metavar='S',
        help='of the moments of the requests (default: %(default)s)')
    parser.add_argument(
        '--network', action='store_true',
        help='measure how long a real port is silent, and add that to the '
        'bench.json that is there')
    parser.add_argument(
        '--costs', action='store_true',
        help='measure also what requests cost, and to empty a host')
    parser.add_argument(
        '--only-costs', action='store_true',
        help='measure only that, and add it to the bench.json that is there')
    parser.add_argument(
        '--resume', action='store_true',
        help='continue the bench.json that is there')
    parser.add_argument(
        '--keep', action='store_true', help='leave the cloud as it is')
    parser.add_argument(
        '--output', type=pathlib.Path, default=layout.ROOT, metavar='DIR',
        help='where bench.json and bench.png go (default: %(default)s)')
    return parser
