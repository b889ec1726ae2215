# SPDX-License-Identifier: Apache-2.0

"""The first process of a host: ``python host_init.py NAME DIRECTORY``.

Runs in fresh mount and UTS namespaces, gives the host its own directories and
its name, starts libvirt's daemons and stays. A daemon that ends is started
again, as systemd does. It is the subreaper of all that they start: QEMU's
processes become its children and are reaped at once when they end. libvirt
waits for that after a migration, and the first process of a container may take
seconds to do it.

Runs without site-packages and without the rest of the lab, so that it starts
at once.
"""

import ctypes
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

# Directories and files of the host that are mounted over the machine's.
# /run is last: it hides much.
MOUNTS = ('/etc/libvirt', '/etc/pki', '/var/lib/libvirt',
          '/var/cache/libvirt', '/var/log/libvirt', '/run')
FILES = ('/etc/hosts', '/etc/passwd', '/etc/group')
PR_SET_CHILD_SUBREAPER = 36
DAEMONS = (
    ('/usr/sbin/virtlogd', '-f', '/etc/libvirt/virtlogd.conf'),
    ('/usr/sbin/libvirtd', '--listen', '-f', '/etc/libvirt/libvirtd.conf'),
)
RESTART_DELAY_S = 0.2     # between two starts of a daemon that fails


def mount(*arguments: str) -> None:
    subprocess.run(['mount', *arguments], check=True)


def prepare(name: str, directory: pathlib.Path, instances: str, source: str,
            kind: str) -> None:
    mount('-t', 'sysfs', 'sysfs', '/sys')   # of this network namespace
    if kind == 'shared':
        # libvirt takes a file system of this type for one that hosts share.
        subprocess.run(['bindfs', '-o', 'subtype=glusterfs', source,
                        instances], check=True)
    else:
        mount('--bind', source, instances)
    for path in FILES:
        mount('--bind', str(directory / path.strip('/')), path)
    for path in MOUNTS:
        source = directory / path.strip('/').replace('/', '-')
        source.mkdir(parents=True, exist_ok=True)
        mount('--bind', str(source), path)
    socket.sethostname(name)


def main() -> int:
    name, directory, *servers = sys.argv[1:]
    prepare(name, pathlib.Path(directory), *servers)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)
    daemons = {subprocess.Popen(command).pid: command for command in DAEMONS}
    ending = False

    def end(number, frame) -> None:
        nonlocal ending
        ending = True
        for pid in daemons:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    while daemons:
        pid, status = os.wait()
        if pid not in daemons:
            continue
        command = daemons.pop(pid)
        print('%s has ended with status %d' % (command[0], status),
              flush=True)
        if not ending:
            time.sleep(RESTART_DELAY_S)
            daemons[subprocess.Popen(command).pid] = command
    return 0


if __name__ == '__main__':
    sys.exit(main())
