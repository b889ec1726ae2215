# SPDX-License-Identifier: Apache-2.0

"""What the lab changes on the machine itself, and puts back.

Two things: sysctls, and directories that have to exist for something to be
mounted over them inside of a host. What was there before is written down in
:data:`lab.layout.RUN` before the change, so that any later ``down`` can put
it back.
"""

import pathlib

from lab import layout

_SYSCTLS = layout.RUN / 'sysctls'
_DIRECTORIES = layout.RUN / 'directories'


def _sysctl(name: str) -> pathlib.Path:
    return pathlib.Path('/proc/sys') / name.replace('.', '/')


def set_sysctl(name: str, value: str) -> None:
    """Set a sysctl and remember what it was before the first change."""
    path = _sysctl(name)
    before = path.read_text().strip()
    if before == value:
        return
    _SYSCTLS.mkdir(parents=True, exist_ok=True)
    saved = _SYSCTLS / name
    if not saved.exists():
        saved.write_text(before)
    path.write_text(value)


def make_directory(path: str) -> None:
    """Create a directory unless it exists; :func:`restore` removes it."""
    if pathlib.Path(path).is_dir():
        return
    known = _DIRECTORIES.read_text() if _DIRECTORIES.exists() else ''
    _DIRECTORIES.write_text(known + path + '\n')
    pathlib.Path(path).mkdir()


def restore() -> None:
    """Put everything back; what somebody else uses by now stays."""
    if _SYSCTLS.is_dir():
        for saved in _SYSCTLS.iterdir():
            _sysctl(saved.name).write_text(saved.read_text())
            saved.unlink()
    if _DIRECTORIES.exists():
        for line in reversed(_DIRECTORIES.read_text().splitlines()):
            try:
                pathlib.Path(line).rmdir()
            except OSError:
                pass
        _DIRECTORIES.unlink()
