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
        return cls(*(getattr(migration, name, None) for name in cls._fields))

    @property
    def copied(self) -> str | None:
        """What is being copied: memory or disk."""
        if self.phase in _MEMORY:
            return 'memory'
        return 'disk' if self.phase == 'disk' else None

    @property
    def remaining(self) -> int | None:
        """Bytes of it that are still to be sent."""
        return self.copied and getattr(
            self, self.copied + '_remaining_bytes')

    @property
    def processed(self) -> int:
        """Bytes of it that have been sent."""
        return self.copied and getattr(
            self, self.copied + '_processed_bytes') or 0


class Story:
    """One migration, told from look to look.

    Less than what was shown before is never shown without the reason.
    """

    def __init__(self) -> None:
        self._before: Seen | None = None
        self._percent = 0
        # The least that was left of what is copied, and how much has been
        # added since, in bytes.
        self._least = 0
        self._again = 0
        self._reason = ''

    def tell(self, seen: Seen) -> str:
        """Return the line about a migration as it is seen now."""
        self._compare(seen)
        self._before = seen
        percent = seen.progress or 0
        self._percent = percent if self._again else max(
            percent, self._percent)
        parts = [_IN_WORDS.get(seen.phase, seen.phase or seen.status)]
        if seen.copied and seen.progress is not None:
            parts.append('%d%%' % self._percent)
        if seen.remaining is not None:
            parts.append('%d MiB remaining' % (seen.remaining // MIB))
        line = ', '.join(parts)
        if self._again:
            line += '; ' + self._reason % math.ceil(self._again / MIB)
        return line

    def _compare(self, seen: Seen) -> None:
        before = self._before
        if (before is None or before.copied != seen.copied or None in (
                before.remaining, seen.remaining)):
            self._least, self._again = seen.remaining or 0, 0
            return
        if seen.remaining <= self._least:
            self._least, self._again = seen.remaining, 0
        grown = seen.remaining - before.remaining
        if grown <= 0:
            return
        if 'interrupted' in (before.phase, seen.phase):
            self._reason = '%d MiB were lost on the way and are sent again'
        else:
            # Also right after the switch: what the server had rewritten is
            # counted then. What was sent meanwhile was rewritten as well.
            grown += max(0, seen.processed - before.processed)
            self._reason = ('the server rewrote %d MiB, which are sent '
                            'again')
        self._again += grown
