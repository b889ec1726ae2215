# SPDX-License-Identifier: Apache-2.0

"""State of a possibly migrating guest, as one host's libvirt reports it.

The same values are used for both hosts. Only the domain on the source says
whether the guest has left, and only the domain on the destination whether it
has arrived: job statistics and the error of a migration call say neither.
"""

import enum


class Condition(enum.StrEnum):
    RUNNING = 'running'
    PAUSED = 'paused'           #: by a user, or for an I/O error
    MIGRATING = 'migrating'     #: paused by libvirt, between the hosts
    POST_COPY = 'post-copy'     #: runs on the destination without all memory
    BROKEN = 'broken'           #: post-copy whose stream is broken
    MIGRATED = 'migrated'       #: shut off because it has left
    SHUTOFF = 'shutoff'         #: shut off otherwise, or QEMU has died
    ABSENT = 'absent'           #: no such domain in libvirt
    UNKNOWN = 'unknown'         #: libvirt does not answer


# The guest does not run on this host any more.
GONE = (Condition.MIGRATED, Condition.SHUTOFF, Condition.ABSENT)
# The guest is on this host and nowhere else.
HERE = (Condition.RUNNING, Condition.PAUSED)
