# SPDX-License-Identifier: Apache-2.0

"""``python -m lab.recording``: record how guests move on one generation."""

import argparse
import pathlib
import sys

from lab import errors
from lab.recording import hosts
from lab.recording import move


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='python -m lab.recording',
        description='Move guests between two libvirts without Nova, and '
        'record what libvirt tells of them. Takes a minute or two; needs '
        'root.')
    parser.add_argument('root', type=pathlib.Path, help='whose programs run')
    parser.add_argument('output', type=pathlib.Path, help='directory')
    parser.add_argument(
        '--guest', action='append', choices=[*move.GUESTS],
        help='may be given more than once (default: all)')
    return parser


def main() -> int:
    arguments = _parser().parse_args()
    arguments.output.mkdir(parents=True, exist_ok=True)
    with hosts.two(arguments.root) as (source, destination):
        for name in arguments.guest or move.GUESTS:
            recording = move.record(source, destination, move.GUESTS[name])
            path = arguments.output / (name + '.json')
            path.write_text(move.text(recording))
            print('%s: %d looks, %d collections of dirty pages, %s' % (
                path, len(recording['looks']), len(recording['collections']),
                'ended' if recording['ended'] else 'aborted'))
    return 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except errors.LabError as exc:
        sys.exit('recording: %s' % exc)
