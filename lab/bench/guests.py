# SPDX-License-Identifier: Apache-2.0

"""The guests of the bench: how much of their memory they write, and when.

All have the same size and the same amount of memory that is not zero, so one
pass over it takes each the same time. A guest's pace does not change, only
where it writes: so what it did not do is what the migration has cost it.
"""

from __future__ import annotations

import dataclasses
import pathlib
import tempfile
import typing

from lab import guest
from lab import layout

if typing.TYPE_CHECKING:
    from lab.cloud import cloud as lab_cloud

MEMORY_MIB = 512
FLAVOR = 'lab.small'        # has MEMORY_MIB
FILLED_MIB = 400
# Of nearly all: 2.5 times what the network carries.
_PACE_MIB = 512


@dataclasses.dataclass(frozen=True)
class Guest:
    """One kind of guest; sizes in MiB, pace in MiB/s.

    :param burst_mib: work after which it stays where it is for as much work
    """

    name: str
    title: str
    working_set_mib: int
    pace_mib: int = _PACE_MIB
    burst_mib: int = 0

    @property
    def image(self) -> str:
        return 'bench-' + self.name

    @property
    def cycle(self) -> int:
        """Work (bytes) after which its behaviour repeats; 0: it is steady."""
        return 2 * self.burst_mib * layout.MIB


GUESTS = {found.name: found for found in (
    Guest('idle', 'idle', 4, pace_mib=100),
    Guest('hot-set', 'small hot set', 24),
    Guest('quarter', 'a quarter hot', 128),
    Guest('full', 'all hot', FILLED_MIB),
    Guest('bursty', 'bursts of 4 s', FILLED_MIB, burst_mib=2048),
)}


def upload_image(cloud: lab_cloud.Cloud, kind: Guest) -> None:
    """Make the image of a guest and upload it, unless it is there."""
    if cloud.get('image', '/v2/images?name=' + kind.image)['images']:
        return
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, 'image')
        guest.build_image(path, kind.working_set_mib, kind.pace_mib,
                          filled_mib=FILLED_MIB, burst_mib=kind.burst_mib)
        cloud.upload_image(kind.image, path)
