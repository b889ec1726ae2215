# SPDX-License-Identifier: Apache-2.0

"""The lab's commands: ``python -m lab COMMAND`` or ``./run lab COMMAND``."""

import argparse
from collections.abc import Sequence
import os
import signal
import subprocess
import sys

from lab.cloud import lifetime
from lab import errors
from lab import layout
from lab import load
from lab import output


def _cloud(arguments: argparse.Namespace):
    # Here and not above: --help must work where the services are not
    # installed.
    from lab.cloud import cloud
    from lab.cloud import lock

    there = lock.owner() if lock.is_ours() else {}
    return cloud.Cloud(
        extended=not getattr(arguments, 'upstream',
                             not there.get('extended', True)),
        horizon=(getattr(arguments, 'horizon', False)
                 or there.get('horizon', False)),
        ports=getattr(arguments, 'ports', False) or there.get('ports', False),
        storage=(getattr(arguments, 'storage', None)
                 or there.get('storage', 'local')),
        tls=getattr(arguments, 'tls', False) or there.get('tls', False),
        bandwidth=getattr(arguments, 'bandwidth', 200) * layout.MIB)


def up(arguments: argparse.Namespace) -> int:
    """bring the cloud up, or what is missing of it"""
    cloud = _cloud(arguments)
    lifetime.require_machine(cloud.storage.name)
    try:
        cloud.up()
    except KeyboardInterrupt:
        lifetime.undisturbed(cloud.down)
        raise
    print('The cloud is up. To use it:\n'
          '  eval "$(./run lab openrc)"\n'
          '  nova list; openstack hypervisor list')
    if cloud.horizon:
        from lab.cloud.services import horizon

        print('The dashboard is %s, for the user admin with the password %s.'
              % (horizon.URL, layout.PASSWORD))
    return 0


def down(arguments: argparse.Namespace) -> int:
    """remove the cloud, whatever is left of it"""
    lifetime.undisturbed(_cloud(arguments).down)
    return 0


def status(arguments: argparse.Namespace) -> int:
    """say what is running; exit status 1 unless it is complete"""
    from lab.cloud import bringup
    from lab.cloud import lock

    owner = lock.owner()
    if not owner:
        print('There is no lab on this machine.')
        return 1
    print('The lab of %s, Nova %s nova-post-copy:' % (
        owner['root'], 'with' if owner['extended'] else 'without'))
    pids = [(found, found.pid)
            for found in bringup.expected(_cloud(arguments))]
    print(output.columns([
        (found.name, 'pid %d' % pid if pid
         else 'not running, see %s' % found.log) for found, pid in pids]))
    return 0 if all(pid for _, pid in pids) else 1


def logs(arguments: argparse.Namespace) -> int:
    """show the end of the logs, or follow one"""
    found = sorted(layout.LOGS.glob('%s.log' % (arguments.name or '*')))
    if not found:
        raise errors.LabError('there is no such log in %s' % layout.LOGS)
    command = ['tail', '--lines=%d' % arguments.lines]
    if arguments.follow:
        command.append('--follow=name')
    os.execvp('tail', [*command, *map(str, found)])


def openrc(arguments: argparse.Namespace) -> int:
    """print the environment for nova and openstack"""
    from lab.cloud import content

    print(content.openrc(), end='')
    return 0


def shell(arguments: argparse.Namespace) -> int:
    """a shell on a host, or a command"""
    host = _cloud(arguments).host(arguments.host)
    command = [*host.enter(), *(arguments.command or ['bash'])]
    os.execvp(command[0], command)


def demo(arguments: argparse.Namespace) -> int:
    """a busy server moves by post-copy, with proof and picture"""
    from lab.demo import command

    return command.main(arguments.rest)


def faults(arguments: argparse.Namespace) -> int:
    """break the cloud while a server moves; it is never lost, never twice"""
    from lab.faults import command

    return command.main(arguments.rest)


def bench(arguments: argparse.Namespace) -> int:
    """the same guests move in every way there is, side by side"""
    from lab.bench import command

    return command.main(arguments.rest)


def test(arguments: argparse.Namespace) -> int:
    """the tests that need the cloud; brings it up and removes it"""
    arguments.horizon = True
    arguments.ports = True
    arguments.upstream = False
    with (load.busy_loops(arguments.load),
          lifetime.in_cloud(_cloud(arguments))):
        return subprocess.run(
            [layout.BIN / 'stestr', 'run', '--serial', *arguments.rest],
            cwd=layout.ROOT,
            env=os.environ | {'OS_TEST_PATH': './tests/lab'}).returncode


# The rest of the line is theirs.
_WITH_OPTIONS = (demo, faults, bench, test)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='lab', description='A real two-host Nova cloud on this machine.')
    commands = parser.add_subparsers(required=True, metavar='COMMAND')

    def add(function):
        command = commands.add_parser(
            function.__name__, help=function.__doc__,
            description=function.__doc__)
        command.set_defaults(function=function)
        return command

    command = add(up)
    command.add_argument(
        '--upstream', action='store_true',
        help='plain Nova, without nova-post-copy')
    command.add_argument(
        '--horizon', action='store_true',
        help='with the dashboard')
    command.add_argument(
        '--ports', action='store_true',
        help='with neutron agents, so that servers can have real ports')
    command.add_argument(
        '--storage', choices=('local', 'shared', 'ceph'),
        help='where the disks of servers are; ceph: with Cinder, too '
        '(default: that of the lab which is up, else local)')
    command.add_argument(
        '--tls', action='store_true',
        help='migrations are encrypted, with certificates of the lab')
    command.add_argument(
        '--bandwidth', type=int, default=200, metavar='MIB_PER_S',
        help='of the migration network (default: %(default)s)')
    add(status)
    add(down)
    command = add(logs)
    command.add_argument('name', nargs='?', help='of one process')
    command.add_argument('-n', '--lines', type=int, default=10)
    command.add_argument('-f', '--follow', action='store_true')
    add(openrc)
    command = add(shell)
    command.add_argument('host', choices=[host.name for host in layout.HOSTS])
    command.add_argument('command', nargs=argparse.REMAINDER)
    for function in (demo, faults, bench):
        # They show their options themselves.
        commands.add_parser(
            function.__name__, help=function.__doc__, add_help=False,
        ).set_defaults(function=function)
    command = add(test)
    command.add_argument(
        '--load', type=int, default=0, metavar='N',
        help='with N busy loops beside it (default: %(default)s); what else '
        'there is goes to stestr')
    return parser


def _end(number: int, frame) -> None:
    raise KeyboardInterrupt


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return the exit status."""
    signal.signal(signal.SIGTERM, _end)
    arguments, rest = _parser().parse_known_args(argv)
    if rest and arguments.function not in _WITH_OPTIONS:
        _parser().parse_args(argv)      # says what is wrong, and exits
    arguments.rest = rest
    try:
        return arguments.function(arguments)
    except errors.LabError as exc:
        print('lab: %s' % exc, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print('lab: interrupted', file=sys.stderr)
        return 130
