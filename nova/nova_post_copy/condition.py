# Licensed under the Apache License, Version 2.0 (the "License"); you may
# not use this file except in compliance with the License. You may obtain
# a copy of the License at
#
#      http://www.apache.org/licenses/LICENSE-2.0
#
# Unless required by applicable law or agreed to in writing, software
# distributed under the License is distributed on an "AS IS" BASIS, WITHOUT
# WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied. See the
# License for the specific language governing permissions and limitations
# under the License.

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
