# SPDX-License-Identifier: Apache-2.0

"""What is told of a live migration on its way.

Pure: what was seen goes in, the line for the user comes out. ``openstack``
tells the same (:mod:`openstackclient_post_copy.wait`), so neither of the two
clients is in here.
"""

import math
from typing import Any, NamedTuple, Self

MIB = 1024 * 1024

_MEMORY = ('pre-copy', 'post-copy', 'interrupted')
_IN_WORDS = {
    'queued': 'queued behind other migrations',
    'interrupted': 'interrupted, goes on when the hosts reach each other',
}


class Seen(NamedTuple):
    """A live migration at one moment, as the API shows it.

    None is what the user may not see, or what nobody has counted yet.
    """

    id: int
    status: str
    phase: str | None = None
    progress: int | None = None     # per cent
    # In bytes.
    memory_processed_bytes: int | None = None
    memory_remaining_bytes: int | None = None
    disk_processed_bytes: int | None = None
    disk_remaining_bytes: int | None = None

    @classmethod
    def of(cls, migration: Any) -> Self:
        """Pick it from a client's resource, in whatever list that was."""
        return cls(migration.id, migration.status, *(
            getattr(migration, name, None) for name in cls._fields[2:]))

    @property
    def copied(self) -> str | None:
        """What is being copied: memory or disk."""
        if self.phase in _MEMORY:
            return 'memory'
        return 'disk' if self.phase == 'disk' else None

    @property
    def remaining_bytes(self) -> int | None:
        """Bytes of it that are still to be sent."""
        return {'memory': self.memory_remaining_bytes,
                'disk': self.disk_remaining_bytes,
                None: None}[self.copied]

    @property
    def processed_bytes(self) -> int:
        """Bytes of it that have been sent."""
        return {'memory': self.memory_processed_bytes,
                'disk': self.disk_processed_bytes,
                None: None}[self.copied] or 0


class Story:
    """One migration, told from look to look.

    Less than what was shown before is never shown without the reason.
    """

    def __init__(self) -> None:
        self._before: Seen | None = None
        self._percent = 0
        # The least that was left of what is copied, and how much has been
        # added since.
        self._least_bytes = 0
        self._again_bytes = 0
        self._reason = ''

    def tell(self, seen: Seen) -> str:
        """Return the line about a migration as it is seen now."""
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
            self._reason = '%d MiB were lost on the way and are sent again'
        else:
            # Also right after the switch: what the server had rewritten is
            # counted then. What was sent meanwhile was rewritten as well.
            grown += max(0, seen.processed_bytes - before.processed_bytes)
            self._reason = ('the server rewrote %d MiB, which are sent '
                            'again')
        self._again_bytes += grown
