# SPDX-License-Identifier: Apache-2.0

"""State of a possibly migrating guest, as one host's libvirt reports it.

The same values are used for both hosts. Only the domain on the source says
whether the guest has left, and only the domain on the destination whether it
has arrived: job statistics and the error of a migration call say neither.
"""

import enum


class Condition(enum.StrEnum):
    RUNNING = 'running'
    PAUSED = 'paused'           #: by a user
    IO_ERROR = 'io-error'       #: paused for an I/O error; alive
    MIGRATING = 'migrating'     #: paused by libvirt, between the hosts
    POST_COPY = 'post-copy'     #: runs on the destination without all memory
    BROKEN = 'broken'           #: post-copy whose stream is broken
    MIGRATED = 'migrated'       #: shut off because it has left
    #: QEMU is about to exit: the guest has shut itself down, or has left
    SHUTTING_DOWN = 'shutting-down'
    POWERED_OFF = 'powered-off'     #: shut off by the guest or by a user
    SHUTOFF = 'shutoff'         #: shut off otherwise, or QEMU has died
    ABSENT = 'absent'           #: no such domain in libvirt
    UNKNOWN = 'unknown'         #: libvirt does not answer


# Of a destination: the guest ran there, and has shut itself down. While the
# stream is broken, QEMU there hangs in its exit and the second state is never
# reached (seen with QEMU 7.2).
SHUT_DOWN = (Condition.SHUTTING_DOWN, Condition.POWERED_OFF)
# There is a domain, but no QEMU.
OFF = (Condition.POWERED_OFF, Condition.SHUTOFF)
# The guest does not run on this host any more.
GONE = (Condition.MIGRATED, *OFF, Condition.ABSENT)
# The guest is on this host. Of a *destination*, only RUNNING says that all of
# its memory is: once a guest is paused for another reason, libvirt does not
# show any more that it is in post-copy.
HERE = (Condition.RUNNING, Condition.PAUSED, Condition.IO_ERROR)
# The destination has started the guest, and may lack some of its memory.
STARTED = (Condition.POST_COPY, Condition.BROKEN, Condition.PAUSED,
           Condition.IO_ERROR)
