# SPDX-License-Identifier: Apache-2.0

"""Who owns the one lab that a machine can host.

The lab uses namespaces and ports of the machine, so there is one at a time.
Its owner, a checkout, is written down in :data:`lab.layout.RUN`; a lock there
keeps two commands from working on it at the same time.
"""

from collections.abc import Iterator
import contextlib
import fcntl
import json
import os
import pathlib

from lab.cloud import network
from lab.cloud import process
from lab import errors
from lab import layout

_OWNER = layout.RUN / 'owner.json'
_LOCK = layout.RUN / 'lock'


@contextlib.contextmanager
def exclusive() -> Iterator[None]:
    """Hold the lock while the lab is brought up or removed.

    :raises LabError: when another command holds it
    """
    layout.RUN.mkdir(parents=True, exist_ok=True)
    with _LOCK.open('a+') as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            stream.seek(0)
            raise errors.LabError(
                'another command is working on the lab of this machine '
                '(process %s); wait for its end' % stream.read()) from None
        stream.truncate(0)
        stream.write(str(os.getpid()))
        stream.flush()
        yield


def owner() -> dict:
    """Return root and options of the lab that is there; {}: none."""
    try:
        return json.loads(_OWNER.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def is_ours() -> bool:
    return owner().get('root') == str(layout.ROOT)


def check_not_foreign() -> None:
    """Refuse to touch the running lab of another checkout.

    :raises LabError: names it and says how it is removed
    """
    root = owner().get('root')
    if root is None or is_ours() or not pathlib.Path(root, 'lab').is_dir():
        return
    if network.namespaces() or any(
            found.is_alive() for found in process.recorded()):
        raise errors.LabError(
            'this machine already hosts the lab of %s, and can host only '
            'one; "cd %s && ./run lab down" removes it' % (root, root))


def own(options: dict) -> None:
    """Write down that the lab is ours from now on."""
    # At once: other commands read it at any time.
    partial = _OWNER.with_suffix('.partial')
    partial.write_text(json.dumps({'root': str(layout.ROOT)} | options))
    partial.replace(_OWNER)


def disown() -> None:
    _OWNER.unlink(missing_ok=True)
