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

"""When to switch a migration from pre-copy to post-copy.

A pure decision: no libvirt, no clock, no log. The monitor asks it whenever it
has new statistics and carries out the answer.

The policy: one complete pass of pre-copy, so that the memory which the guest
leaves alone is already on the destination; then switch, unless what is left
fits the allowed downtime, because then pre-copy is about to end by itself.
"""

import enum
import typing

# QEMU counts the times that it has collected dirty pages. The first time is
# before the first pass, so 2 says that the first pass is complete.
FIRST_PASS_COMPLETE = 2


class Action(enum.Enum):
    GO_ON = 'go on'
    SWITCH = 'switch'


class Decision(typing.NamedTuple):
    action: Action
    reason: str     #: in words, for the log


class Progress(typing.NamedTuple):
    """What is known of a migration that copies memory."""

    iteration: int      #: how many times QEMU has collected dirty pages
    remaining: int      #: bytes of memory that are still to be sent
    bandwidth: int      #: bytes per second that the network carries
    elapsed: float      #: seconds since QEMU began to copy memory


def decide(progress: Progress, downtime: float, timeout: float,
           forced: bool) -> Decision:
    """Decide how to go on.

    :param downtime: seconds that the guest may stand still when pre-copy ends
    :param timeout: seconds after which pre-copy has taken too long, 0 for
        never
    :param forced: a user has asked for the switch
    """
    if not progress.iteration:
        # Disks come first, and QEMU cannot switch before it copies memory.
        return Decision(Action.GO_ON, 'memory is not being copied yet')
    if forced:
        return Decision(Action.SWITCH, 'a user asked for it')
    if timeout and progress.elapsed > timeout:
        return Decision(
            Action.SWITCH,
            'pre-copy has not ended in the %d s that it may take' % timeout)
    if progress.iteration < FIRST_PASS_COMPLETE:
        return Decision(Action.GO_ON, 'the first pass is not complete')
    if progress.remaining <= progress.bandwidth * downtime:
        return Decision(
            Action.GO_ON,
            'the remaining %d MiB fit the allowed downtime of %d ms'
            % (progress.remaining >> 20, downtime * 1000))
    return Decision(
        Action.SWITCH,
        'the first pass is complete and the remaining %d MiB at %d MiB/s do '
        'not fit the allowed downtime of %d ms'
        % (progress.remaining >> 20, progress.bandwidth >> 20,
           downtime * 1000))
