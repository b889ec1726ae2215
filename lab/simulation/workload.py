# SPDX-License-Identifier: Apache-2.0

"""The work of one guest: what it writes to its memory, wherever it runs."""

from lab.simulation import guest
from lab.simulation import model
from lab.simulation import timing


class Workload:
    """The work of one guest, wherever it runs."""

    def __init__(self, clock: timing.Clock, memory: int, working_set: int = 0,
                 dirty_rate: float = 0.0):
        self.guest = guest.Guest(memory, working_set, dirty_rate)
        self._clock = clock
        self._before = 0.0
        self._since = clock.now()
        self._past = [(self._since, 0.0)]
        self._migration: model.Migration | None = None

    def migrate(self, link: guest.Link, paused: bool) -> model.Migration:
        """Begin a migration of this guest."""
        self._before = self.work()
        self._since = self._clock.now()
        self._migration = model.Migration(
            self.guest, link, self._since, paused=paused)
        return self._migration

    def work(self) -> float:
        """Return the bytes that the guest has written since made busy."""
        migration = self._migration
        if migration is not None:
            return self._before + migration.work
        return self._before + self.guest.dirty_rate * (
            self._clock.now() - self._since)

    def course(self) -> list[tuple[float, float]]:
        """Return pairs of time (s) and work (bytes), linear in between."""
        return [*self._past, *self._course_of_migration(),
                (self._clock.now(), self.work())]

    def settle(self) -> None:
        """End the migration; the guest continues at its own pace."""
        self._past += self._course_of_migration()
        self._before = self.work()
        self._since = self._migration.now
        self._migration = None

    def _course_of_migration(self) -> list[tuple[float, float]]:
        migration = self._migration
        return [] if migration is None else [
            (when, self._before + work) for when, work in migration.course]
