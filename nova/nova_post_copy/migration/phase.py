# SPDX-License-Identifier: Apache-2.0

"""Interface of a phase to the loop of :mod:`.monitor`."""

import abc

import futurist

from nova.i18n import _

from nova_post_copy.decisions.condition import Condition
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration.result import Result

# Seconds between two looks at the source when nothing happens: events may get
# lost, and a stalled stream causes none. The progress is saved as often (two
# RPC calls each).
BEAT_S = 1.0
# While something is awaited that causes no event: the result of a measurement,
# the end of an interruption.
QUICK_BEAT_S = 0.25


class MonitorPhase(abc.ABC):
    """A part of a migration.

    :param operation: libvirt's blocking call; its result is None, or the
        exception that ended it. None: a former process has called
    """

    def __init__(self, migration: LiveMigration,
                 operation: futurist.Future | None) -> None:
        self.migration = migration
        self.operation = operation

    def beat(self) -> float:
        """Return the seconds until the next look if nothing happens."""
        ended = self.operation is not None and self.operation.done()
        return QUICK_BEAT_S if ended else BEAT_S

    def operation_is_over(self) -> bool:
        """Tell whether this process has no call to libvirt running."""
        return self.operation is None or self.operation.done()

    def has_succeeded(self) -> bool:
        """Tell whether libvirt's finished call saw the guest arrive."""
        return (self.operation is not None and
                self.operation.result() is None)

    def error(self) -> Exception | str:
        """Return the error that ended libvirt's finished call."""
        if self.operation is None:
            return _('unknown, because nova-compute was restarted')
        return self.operation.result()

    def carry_on(self, operation: futurist.Future | None) -> None:
        """Continue with the call that resumed the migration."""
        self.operation = operation
        if operation is not None:
            operation.add_done_callback(self.migration.signals.wake)

    @abc.abstractmethod
    def step(self, found: Condition, over: bool) -> 'MonitorPhase | Result':
        """Act on the state of the domain on the source.

        :param found: the condition of that domain
        :param over: libvirt's operation was over before the domain was asked
        :returns: the next phase, or how the migration ended
        """
