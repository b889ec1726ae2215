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

"""What the services wrote during a case, kept when it was violated."""

import pathlib

from lab import layout

_PIECE = 4 * layout.MIB     # at most, of one log


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
                added = stream.read(_PIECE)
            if added:
                (folder / path.name).write_bytes(added)


def _logs() -> list[pathlib.Path]:
    return [*layout.LOGS.glob('*.log'), *(
        path for host in layout.HOSTS
        for path in (host.directory / 'var-log-libvirt').glob('**/*.log'))]
