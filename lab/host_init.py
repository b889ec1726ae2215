# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.


"""The first process of a host: ``python lab/host_init.py NAME DIRECTORY``.

Runs in fresh mount and UTS namespaces, gives the host its own directories
and its name, starts libvirt's daemons and stays. It is the subreaper of all
that they start: QEMU's processes become its children and are reaped at once
when they end. libvirt waits for that after a migration, and the first process
of a container may take seconds to do it.

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

# Directories and files of the host that are mounted over the machine's.
# /run is last: it hides much.
MOUNTS = ('/etc/libvirt', '/var/lib/libvirt', '/var/cache/libvirt',
          '/var/log/libvirt', '/run')
FILES = ('/etc/hosts', '/etc/passwd', '/etc/group')
PR_SET_CHILD_SUBREAPER = 36


def mount(*arguments: str) -> None:
    subprocess.run(['mount', *arguments], check=True)


def prepare(name: str, directory: pathlib.Path, instances: str) -> None:
    mount('-t', 'sysfs', 'sysfs', '/sys')   # of this network namespace
    mount('--bind', str(directory / 'instances'), instances)
    for path in FILES:
        mount('--bind', str(directory / path.strip('/')), path)
    for path in MOUNTS:
        source = directory / path.strip('/').replace('/', '-')
        source.mkdir(parents=True, exist_ok=True)
        mount('--bind', str(source), path)
    socket.sethostname(name)


def main() -> int:
    name, directory, instances = sys.argv[1:]
    prepare(name, pathlib.Path(directory), instances)
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1)
    daemons = [
        subprocess.Popen(['/usr/sbin/virtlogd', '-f',
                          '/etc/libvirt/virtlogd.conf']).pid,
        subprocess.Popen(['/usr/sbin/libvirtd', '--listen', '-f',
                          '/etc/libvirt/libvirtd.conf']).pid]

    def end(number, frame) -> None:
        for pid in daemons:
            os.kill(pid, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    while True:
        try:
            pid, status = os.wait()
        except ChildProcessError:
            return 0
        if pid in daemons:
            daemons.remove(pid)
            print('daemon %d has ended with status %d' % (pid, status),
                  flush=True)
            if not daemons:
                return 0


if __name__ == '__main__':
    sys.exit(main())
