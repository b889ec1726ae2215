# SPDX-License-Identifier: Apache-2.0

"""The progress line of a live migration.

Pure: what the API shows of the migration goes in, the line for the user comes
out.
"""

import math
from typing import Any, NamedTuple, Self

MIB = 1024 * 1024

_MEMORY = ('pre-copy', 'post-copy', 'interrupted')
_IN_WORDS = {
    'queued': 'queued behind other migrations',
    'interrupted': 'interrupted, resumes when the hosts reach each other',
}


class Seen(NamedTuple):
    """A live migration at one moment, as the API shows it.

    None: the user may not see the value, or it has not been counted yet.
    """

    id: int
    status: str
    phase: str | None = None
    progress: int | None = None     # per cent
    memory_processed_bytes: int | None = None
    memory_remaining_bytes: int | None = None
    disk_processed_bytes: int | None = None
    disk_remaining_bytes: int | None = None

    @classmethod
    def of(cls, migration: Any) -> Self:
        """Return a client's resource, of either list of migrations."""
        return cls(migration.id, migration.status, *(
            getattr(migration, name, None) for name in cls._fields[2:]))

    @property
    def copied(self) -> str | None:
        """What is being copied: 'memory' or 'disk'."""
        if self.phase in _MEMORY:
            return 'memory'
        return 'disk' if self.phase == 'disk' else None

    @property
    def remaining_bytes(self) -> int | None:
        """Bytes of that which are still to be sent."""
        return {'memory': self.memory_remaining_bytes,
                'disk': self.disk_remaining_bytes,
                None: None}[self.copied]

    @property
    def processed_bytes(self) -> int:
        """Bytes of that which have been sent."""
        return {'memory': self.memory_processed_bytes,
                'disk': self.disk_processed_bytes,
                None: None}[self.copied] or 0


class Story:
    """The progress of one migration, from look to look.

    When less is done, or more remains, than the line before showed, the line
    says why.
    """

    def __init__(self) -> None:
        self._before: Seen | None = None
        self._percent = 0
        # The least that remained to be sent, and what was added since.
        self._least_bytes = 0
        self._again_bytes = 0
        self._reason = ''

    def tell(self, seen: Seen) -> str:
        """Return the progress line for what is seen now."""
        self._compare(seen)
        self._before = seen
        percent = seen.progress or 0
        self._percent = percent if self._again_bytes else max(
            percent, self._percent)
        stage = seen.phase or seen.status
        parts = [_IN_WORDS.get(stage, stage)]
        if seen.copied and seen.progress is not None:
            parts.append('%d%%' % self._percent)
        if seen.remaining_bytes is not None:
            parts.append('%d MiB remaining' % (seen.remaining_bytes // MIB))
        line = ', '.join(parts)
        if self._again_bytes:
            line += '; ' + self._reason % math.ceil(self._again_bytes / MIB)
        return line

    def _compare(self, seen: Seen) -> None:
        before, remaining = self._before, seen.remaining_bytes
        if (before is None or before.copied != seen.copied
                or before.remaining_bytes is None or remaining is None):
            self._least_bytes, self._again_bytes = remaining or 0, 0
            return
        if remaining <= self._least_bytes:
            self._least_bytes, self._again_bytes = remaining, 0
        grown = remaining - before.remaining_bytes
        if grown <= 0:
            return
        if 'interrupted' in (before.phase, seen.phase):
            self._reason = 'resending %d MiB lost in transit'
        else:
            # Right after the switch, too: QEMU counts then what the server
            # has rewritten. What was sent since the last look was rewritten
            # as well.
            grown += max(0, seen.processed_bytes - before.processed_bytes)
            self._reason = 'resending %d MiB rewritten by the server'
        self._again_bytes += grown
