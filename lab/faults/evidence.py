# SPDX-License-Identifier: Apache-2.0

"""What the services wrote during a case, kept when it was violated."""

import pathlib

from lab import layout

_PIECE_BYTES = 4 * layout.MIB     # at most, of one log


class Evidence:
    """The logs from now on."""

    def __init__(self) -> None:
        self._begin = {path: path.stat().st_size for path in _logs()}

    def keep(self, folder: pathlib.Path) -> None:
        """Write to a folder what has been added to each log."""
        folder.mkdir(parents=True, exist_ok=True)
        for path in _logs():
            with path.open('rb') as stream:
                stream.seek(self._begin.get(path, 0))
                added = stream.read(_PIECE_BYTES)
            if added:
                (folder / path.name).write_bytes(added)


def _logs() -> list[pathlib.Path]:
    return [*layout.LOGS.glob('*.log'), *(
        path for host in layout.HOSTS
        for path in (host.directory / 'var-log-libvirt').glob('**/*.log'))]
