# SPDX-License-Identifier: Apache-2.0

import dataclasses
import os
import pathlib
import subprocess
import sys

import testtools

from lab.instruments import proof

SERVER = '5a7b1f0e-28cb-4f7e-a1a9-1c2d3e4f5061'


def facts(**changes) -> proof.Facts:
    """The facts of a server that has arrived."""
    return dataclasses.replace(proof.Facts(
        source='host-a', destination='host-b',
        processes={'host-b': 1}, domains={'host-b': proof.RUNNING},
        rate=2.0 ** 30, work=2 ** 34, wrong_pages=0, setbacks=0,
        server={'OS-EXT-SRV-ATTR:host': 'host-b', 'status': 'ACTIVE',
                'OS-EXT-STS:power_state': 1, 'OS-EXT-STS:task_state': None},
        migration={'source_compute': 'host-a', 'dest_compute': 'host-b',
                   'status': 'completed', 'post_copy': True},
        allocations={'host-b': {'VCPU': 1, 'MEMORY_MB': 512}},
        migration_allocations={}), **changes)


class JudgeTestCase(testtools.TestCase):

    def failed(self, **changes) -> list[str]:
        return [check.name for check in proof.judge(facts(**changes))
                if not check.passed]

    def test_all_is_well(self):
        self.assertEqual([], self.failed())
        self.assertEqual(
            ['processes', 'domains', 'guest', 'memory', 'record',
             'migration', 'placement'],
            [check.name for check in proof.judge(facts())])

    def test_simulated_hosts_have_no_processes(self):
        checks = proof.judge(facts(processes=None))
        self.assertNotIn('processes', [check.name for check in checks])

    def test_the_guest_runs_twice(self):
        self.assertEqual(
            ['processes', 'domains'],
            self.failed(processes={'host-a': 1, 'host-b': 1},
                        domains={'host-a': 1, 'host-b': 1}))
        self.assertEqual(['processes'],
                         self.failed(processes={'host-b': 2}))
        self.assertEqual(['guest'], self.failed(setbacks=1))

    def test_the_guest_runs_nowhere(self):
        self.assertEqual(['processes', 'domains', 'guest'],
                         self.failed(processes={}, domains={}, rate=0.0))

    def test_the_guest_is_paused(self):
        self.assertEqual(['domains'], self.failed(domains={'host-b': 3}))

    def test_a_wrong_page(self):
        self.assertEqual(['memory'], self.failed(wrong_pages=1))

    def test_nothing_was_checked(self):
        self.assertEqual(['memory'], self.failed(work=0))

    def test_nova_is_wrong_about_the_server(self):
        for key, value in (('OS-EXT-SRV-ATTR:host', 'host-a'),
                           ('status', 'ERROR'),
                           ('OS-EXT-STS:power_state', 0),
                           ('OS-EXT-STS:task_state', 'migrating')):
            self.assertEqual(['record'], self.failed(
                server=facts().server | {key: value}))

    def test_nova_is_wrong_about_the_migration(self):
        for key, value in (('source_compute', 'host-b'),
                           ('dest_compute', 'host-c'),
                           ('status', 'running (post-copy)'),
                           ('post_copy', None)):
            self.assertEqual(['migration'], self.failed(
                migration=facts().migration | {key: value}))

    def test_allocations_are_left_behind(self):
        both = {'host-a': {'VCPU': 1}, 'host-b': {'VCPU': 1}}
        self.assertEqual(['placement'], self.failed(allocations=both))
        self.assertEqual(['placement'], self.failed(allocations={}))
        self.assertEqual(['placement'], self.failed(
            migration_allocations={'host-a': {'VCPU': 1}}))


class ProcessesTestCase(testtools.TestCase):

    def start(self, name: str, uuid: str) -> int:
        """A process that looks like QEMU's, and does nothing."""
        process = subprocess.Popen(
            [name, '-c', 'import sys; sys.stdin.read()', '-uuid', uuid],
            executable=sys.executable, stdin=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.stdin.close)
        # Its command line is there when exec is done.
        command = pathlib.Path('/proc/%d/cmdline' % process.pid)
        while not command.read_bytes().startswith(name.encode()):
            pass
        return process.pid

    def test_only_qemu_with_this_uuid_counts(self):
        here = {'here': os.getpid()}
        self.assertEqual({}, proof.qemu_processes(SERVER, here))
        pid = self.start('/usr/bin/qemu-system-x86_64', SERVER)
        self.start('/usr/bin/qemu-system-x86_64', SERVER[::-1])
        self.start('/usr/bin/tail', SERVER)
        self.assertEqual({pid: 'here'}, proof.qemu_processes(SERVER, here))

    def test_a_process_on_no_known_host_counts(self):
        pid = self.start('/usr/bin/qemu-system-x86_64', SERVER)
        self.assertEqual({pid: 'another host'},
                         proof.qemu_processes(SERVER, {}))
