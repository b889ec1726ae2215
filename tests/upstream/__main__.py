# SPDX-License-Identifier: Apache-2.0

"""Upstream's own tests, with the package active: nothing else has changed.

``python -m tests.upstream`` runs these parts, each from the wheel that is
installed:

unit
    Nova's unit tests of what we extend, see :mod:`tests.upstream.selection`,
    with all our parts joined.
functional
    Nova's functional tests of live migration, the same way, and with our
    libvirt driver. Apart from the unit tests as upstream runs them: these
    leave things behind in their process.
client
    All unit tests of python-novaclient, which finds our extensions.
openstackclient
    The unit tests of python-openstackclient about compute, and about what all
    commands have in common, with our hooks.
sdk
    openstacksdk's unit tests of compute and of connections, all of which have
    our proxy.
horizon
    Horizon's tests of the admin's instances and hypervisors, with our forms in
    a cloud that offers post-copy.

Each test has to end as it does without us, apart from the ones that are listed
in :mod:`tests.upstream.expected`. A test on that list that passes is an error
too. ``--without`` runs the same tests without the package: what fails then is
none of our doing.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import subunit
import testtools

from tests.upstream import active
from tests.upstream import expected

ROOT = pathlib.Path(__file__).parents[2]

ENVIRONMENT = {
    'OS_STDOUT_CAPTURE': '1',
    'OS_STDERR_CAPTURE': '1',
    'OS_TEST_TIMEOUT': '160',
    'PYTHONWARNINGS': 'ignore',
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog='python -m tests.upstream',
        description="Run upstream's own tests with nova-post-copy active.")
    parser.add_argument('--part', choices=list(expected.PARTS),
                        action='append', help='default: all')
    parser.add_argument('--without', action='store_true',
                        help='run them without nova-post-copy')
    parser.add_argument('--concurrency', type=int, default=2,
                        help='worker processes (default: 2)')
    parser.add_argument('filters', nargs='*', metavar='REGEX',
                        help='only tests that match one of these')
    args = parser.parse_args()
    # A list, for every part has to run.
    good = [run(part, args) for part in args.part or expected.PARTS]
    return 0 if all(good) else 1


def run(part: str, args: argparse.Namespace) -> bool:
    """Run one part, report it and tell whether it is as expected."""
    started = time.monotonic()
    results = results_of(part, args)
    differences = expected.PARTS[part]
    if args.without:
        differences = {test: reason for test, reason in differences.items()
                       if test in expected.FAILS_WITHOUT_US}
    if args.filters:
        differences = {test: reason for test, reason in differences.items()
                       if test in results}

    failed = {test for test, result in results.items()
              if result['status'] not in ('success', 'skip', 'xfail')}
    for test in sorted(failed - differences.keys()):
        print('\n%s: NOT EXPECTED TO FAIL\n%s' % (test, log_of(results[test])))
    for test in sorted(differences.keys() - failed):
        print('\n%s: EXPECTED TO FAIL, but %s. Its entry is out of date: %s'
              % (test, results[test]['status'] if test in results
                 else 'not run', differences[test]))
    print('\n%s: %d tests in %d s, %d failed of which %d are expected to'
          % (part, len(results), time.monotonic() - started, len(failed),
             len(failed & differences.keys())))
    for test in sorted(failed & differences.keys()):
        print('  %s\n    %s' % (test, differences[test]))
    sys.stdout.flush()
    return bool(results) and failed == differences.keys()


def results_of(part: str, args: argparse.Namespace) -> dict[str, dict]:
    """Return the result of each test by its ID, see testtools' TestRecord."""
    environment = os.environ | ENVIRONMENT
    if args.without:
        environment |= active.WITHOUT
    with (tempfile.TemporaryDirectory() as repository,
          tempfile.TemporaryFile() as stream):
        subprocess.run(
            [sys.executable, '-m', 'stestr',
             '--test-path', str(ROOT / 'tests' / 'upstream' / part),
             '--top-dir', str(ROOT), '--repo-url', repository,
             'run', '--subunit', '--concurrency', str(args.concurrency),
             *args.filters],
            cwd=ROOT, env=environment, stdout=stream)
        stream.seek(0)
        results = {}
        collector = testtools.StreamToDict(
            lambda test: results.update({test['id']: test}))
        collector.startTestRun()
        subunit.ByteStreamToStreamResult(
            stream, non_subunit_name='output').run(collector)
        collector.stopTestRun()
    # A test with scenarios is announced by its ID, and ends by one ID for each
    # scenario. Any other that is only announced was not run.
    multiplied = {test.partition('(')[0] for test in results if '(' in test}
    return {test: result for test, result in results.items()
            if result['status'] != 'exists' or test not in multiplied}


def log_of(result: dict) -> str:
    return '\n'.join('%s: %s' % (name, detail.as_text())
                     for name, detail in sorted(result['details'].items())
                     if detail.content_type.type == 'text')


if __name__ == '__main__':
    sys.exit(main())
