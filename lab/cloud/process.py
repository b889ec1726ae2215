# SPDX-License-Identifier: Apache-2.0

"""Processes of the lab: started, recorded, recognised and ended by pid.

Each process leads a session of its own and is recorded in :data:`RUN` before
it becomes what it shall be, so that there is no moment in which an
interrupted bring-up could lose it. The record holds the pid and the start
time that the kernel gives: a pid that now belongs to somebody else does not
match. What a process has started in turn is found by the session, and has to
carry the lab's mark in its environment.
"""

from collections.abc import Iterator, Sequence
import datetime
import os
import pathlib
import signal
import subprocess
import time

from lab import errors
from lab import layout
from lab import wait

RECORDS = layout.RUN / 'processes'
MARK = 'NOVA_POST_COPY_LAB'

# Writes "pid start-time boot-id", then becomes the command. In
# /proc/PID/stat, the start time is the 22nd field; the second one, "(sh)",
# has no blank.
_RECORD_AND_EXEC = '''
read -r _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ _ start _ < /proc/$$/stat
read -r boot < /proc/sys/kernel/random/boot_id
echo "$$ $start $boot" > "$0" && exec "$@"
'''


def _stat(pid: int) -> tuple[str, int, str] | None:
    """Return state, session and start time of a process; None: no such."""
    try:
        text = pathlib.Path('/proc/%d/stat' % pid).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text.rpartition(')')[2].split()
    return fields[0], int(fields[3]), fields[19]


def _pids() -> Iterator[int]:
    return (int(name) for name in os.listdir('/proc') if name.isdigit())


def _is_marked(pid: int) -> bool:
    try:
        environ = pathlib.Path('/proc/%d/environ' % pid).read_bytes()
    except OSError:
        return False
    return any(variable.startswith(MARK.encode() + b'=')
               for variable in environ.split(b'\0'))


def program(pid: int) -> str:
    """Return the name of the program that a process runs; '': no such."""
    try:
        return os.path.basename(os.readlink('/proc/%d/exe' % pid))
    except OSError:
        return ''


def is_running(pid: int) -> bool:
    """Whether a process is there and not merely waiting to be reaped."""
    stat = _stat(pid)
    return stat is not None and stat[0] not in 'ZX'


class Process:
    """One process of the lab, known by its name in the records."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.log = layout.LOGS / ('%s.log' % name)
        self._record = RECORDS / name

    @property
    def pid(self) -> int | None:
        """The recorded pid if it still is that process and runs."""
        try:
            pid, start, boot = self._record.read_text().split()
        except (FileNotFoundError, ValueError):
            return None
        boot_id = pathlib.Path('/proc/sys/kernel/random/boot_id')
        stat = _stat(int(pid))
        if (stat is None or stat[0] in 'ZX' or stat[2] != start
                or boot_id.read_text().strip() != boot):
            return None
        return int(pid)

    @property
    def began(self) -> str:
        """When it was started: UTC, ISO 8601, as Nova writes times."""
        return datetime.datetime.fromtimestamp(
            self._record.stat().st_mtime, datetime.UTC).isoformat()[:19]

    def is_alive(self) -> bool:
        return self.pid is not None

    def start(self, command: Sequence[str | os.PathLike],
              env: dict[str, str] | None = None,
              enter: Sequence[str] = ()) -> None:
        """Start the command, unless it runs already.

        :param env: variables on top of this process' own
        :param enter: a command that enters the namespaces and then becomes
            the rest of its command line
        """
        if self.is_alive():
            return
        self.end(0)     # what a dead leader may have left behind
        RECORDS.mkdir(parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open('ab') as log:
            child = subprocess.Popen(
                ['/bin/sh', '-c', _RECORD_AND_EXEC, self._record,
                 *enter, *command],
                env=os.environ | {MARK: self.name} | (env or {}),
                stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, cwd='/')
        # It is meant to outlive us; who it was is in the record, not here.
        child.returncode = 0
        end = time.monotonic() + wait.scaled(10)
        while self.pid is None:
            if time.monotonic() > end or not is_running(child.pid):
                raise errors.with_log('%s did not start' % self.name,
                                      self.log)
            time.sleep(0.005)

    def _members(self) -> list[int]:
        """Return the pids of everything that this process has started."""
        try:
            session = int(self._record.read_text().split()[0])
        except (FileNotFoundError, ValueError, IndexError):
            return []
        leader = self.pid
        members = []
        for pid in _pids():
            stat = _stat(pid)
            if stat is None or stat[0] in 'ZX' or stat[1] != session:
                continue
            # While its leader runs, the session is ours. Later its number may
            # be somebody else's; a worker that writes a title over its
            # environment cannot be told then, and ends by itself.
            if leader is not None or _is_marked(pid):
                members.append(pid)
        return members

    def kill(self) -> None:
        """End it as a crash would, with all that it has started."""
        self.end(0)

    def end(self, grace: float = 10) -> None:
        """Ask it to end, and after ``grace`` seconds do not ask any more.

        As every limit, that holds for a machine that is not slow.
        """
        if grace and (pid := self.pid):
            _signal([pid], signal.SIGTERM)
            # Who has children that matter ends them before itself.
            _wait_gone(lambda: self.pid, grace)
        while members := self._members():
            _signal(members, signal.SIGKILL)
            _wait_gone(self._members, 1)
        self._reap()
        self._record.unlink(missing_ok=True)

    def _reap(self) -> None:
        """Take the exit status of a child of our own, or it stays around."""
        try:
            os.waitpid(int(self._record.read_text().split()[0]), os.WNOHANG)
        except (ChildProcessError, FileNotFoundError, ValueError, IndexError):
            pass


def recorded() -> list[Process]:
    """Return every process that a record exists of, running or not."""
    if not RECORDS.is_dir():
        return []
    return [Process(path.name) for path in sorted(RECORDS.iterdir())]


def run(command: Sequence[str | os.PathLike], what: str, log: pathlib.Path,
        limit: float, env: dict[str, str] | None = None) -> None:
    """Run a command to its end, with its output in a log.

    :param what: what the command does, for the error
    :param limit: seconds
    :raises LabError: when it fails, or takes too long
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open('ab') as stream, subprocess.Popen(
            command, env=os.environ | (env or {}), stdin=subprocess.DEVNULL,
            stdout=stream, stderr=stream) as child:
        try:
            wait.until(lambda: child.poll() is not None,
                       'end of the command to ' + what, limit, log)
        except errors.LabError:
            child.kill()
            raise
    if child.returncode:
        raise errors.with_log('the command to %s has failed' % what, log)


def end_all_in(pids_of_namespace, grace: float = 3) -> None:
    """End whatever runs in a namespace.

    :param pids_of_namespace: callable that lists the pids that are in it
    """
    def running() -> list[int]:
        return [pid for pid in pids_of_namespace() if is_running(pid)]

    _signal(running(), signal.SIGTERM)
    _wait_gone(running, grace)
    while pids := running():
        _signal(pids, signal.SIGKILL)
        _wait_gone(running, 1)


def _signal(pids: list[int], number: int) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


def _wait_gone(pids, limit: float) -> None:
    end = time.monotonic() + wait.scaled(limit)
    while pids() and time.monotonic() < end:
        time.sleep(0.02)
