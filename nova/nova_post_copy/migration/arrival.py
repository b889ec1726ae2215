# SPDX-License-Identifier: Apache-2.0

"""Confirm that a guest which has left the source runs on the destination.

Only then may anything be cleaned up on the source.
"""

import time

from oslo_log import log as logging

from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.migration.live_migration import LiveMigration
from nova_post_copy.migration.result import End
from nova_post_copy.migration.result import Result

LOG = logging.getLogger(__name__)

# Seconds between two requests for the state of the guest, and how often in a
# row the destination must report that the guest is absent.
ARRIVAL_INTERVAL_S = 2.0
ABSENT_TIMES = 3


def wait(migration: LiveMigration) -> Result:
    """Wait until the destination has reported the state of the guest."""
    absent = 0
    while not migration.stopping.is_set():
        there = migration.link.destination()
        # Also paused or shut off: libvirt here has seen the guest leave with
        # all of its memory.
        if there in (*condition.HERE, *condition.SHUT_DOWN,
                     Condition.SHUTOFF, Condition.UNKNOWN):
            return Result(End.COMPLETED)
        if there is Condition.BROKEN:
            return Result(End.LOST, 'QEMU on the source has exited')
        absent = absent + 1 if there is Condition.ABSENT else 0
        if absent == ABSENT_TIMES:
            return Result(End.LOST, 'libvirt has the server on neither host')
        LOG.info('The server has left this host; waiting for the '
                 'destination to say that it has arrived (%s)', there,
                 instance=migration.instance)
        time.sleep(ARRIVAL_INTERVAL_S)
    return Result(End.UNWATCHED)
