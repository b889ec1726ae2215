# SPDX-License-Identifier: Apache-2.0

"""Watch one live migration that may finish by post-copy.

The loop wakes when libvirt, a user or the operation itself has something to
report, reads the state of the source's domain, and lets the current phase act
on it. The loop must never call a migration failed while the guest may be
running on the destination: the rollback would destroy the only live copy. So
the source's domain, and neither the statistics nor the error of libvirt's
operation, determines whether and how a migration has ended. That is why it
makes no difference whether this process or a former one began the operation:
the first step leads from the first phase to the one that the domain names.

The phases, and the ends that each of them determines::

    BeforeSwitch ------> completed, cancelled, stopped, failed, lost [1]
         |
         |  we have switched, or the domain says post-copy or broken
         v
    AfterSwitch -------> completed, lost, failed [2], cancelled [2]
      |      ^
      |      |  up: the domain says broken no longer; the attempt to resume
      |      |  the stream, if any, is the operation from now on
      v      |  down: the domain says broken
    Interruption ------> lost; or what AfterSwitch determines of a QEMU that
                         has exited

    [1] after a restart, if QEMU on the source has exited: only the
        destination knows what happened then
    [2] the switch did not take effect

Whatever the phase, the migration is completed when libvirt's call says so,
and unwatched when nova-compute stops.
"""

import futurist

from nova_post_copy.migration.before_switch import BeforeSwitch
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration.phase import MonitorPhase
from nova_post_copy.migration.result import End
from nova_post_copy.migration.result import Result
from nova_post_copy.virt.libvirt import domain


def watch(migration: LiveMigration,
          operation: futurist.Future | None) -> Result:
    """Watch a migration until it has ended, and return how.

    :param operation: libvirt's blocking call; its result is None, or the
        exception that ended it. None: a former process has called
    """
    if operation is not None:
        operation.add_done_callback(migration.signals.wake)
    reached: MonitorPhase | Result = BeforeSwitch(migration, operation)
    while isinstance(reached, MonitorPhase):
        reached = _step(migration, reached)
        migration.reporter.go_on()
    migration.reporter.finish()
    return reached


def _step(migration: LiveMigration,
          phase: MonitorPhase) -> MonitorPhase | Result:
    migration.signals.wait(phase.beat())
    if migration.stopping.is_set():
        return Result(End.UNWATCHED)
    # In this order: a guest that still runs when the call is over was rolled
    # back, while one that runs before it may be about to leave.
    over = phase.operation_is_over()
    if over and phase.has_succeeded():
        return Result(End.COMPLETED, arrived=True)
    return phase.step(domain.ask(migration.host, migration.instance), over)
