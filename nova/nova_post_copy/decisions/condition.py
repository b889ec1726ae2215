# SPDX-License-Identifier: Apache-2.0

"""How a guest is that may be on its way, in one word.

The same words for both hosts. Only the source's domain says whether the guest
has left, and only the destination's whether it has arrived: statistics of the
job and the error of a migration call say neither.
"""

import enum


class Condition(enum.StrEnum):
    RUNNING = 'running'
    PAUSED = 'paused'           #: by a user, or for an I/O error
    MIGRATING = 'migrating'     #: stands still between the two hosts
    POST_COPY = 'post-copy'     #: runs on the destination, memory is missing
    BROKEN = 'broken'           #: so, and its stream is broken
    MIGRATED = 'migrated'       #: shut off because it has left
    SHUTOFF = 'shutoff'         #: shut off, or QEMU has died
    ABSENT = 'absent'           #: libvirt knows no such domain
    UNKNOWN = 'unknown'         #: libvirt does not answer


# Where a guest cannot be any more.
GONE = (Condition.MIGRATED, Condition.SHUTOFF, Condition.ABSENT)
# In these the guest is on this host, and nowhere else.
HERE = (Condition.RUNNING, Condition.PAUSED)
