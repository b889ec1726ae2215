# SPDX-License-Identifier: Apache-2.0

"""How a migration ended."""

import enum
import typing


class End(enum.Enum):
    """How a migration ended."""

    COMPLETED = 'completed'     #: the guest has left the source
    CANCELLED = 'cancelled'     #: aborted; the guest runs on the source
    STOPPED = 'stopped'         #: the same, by our own decision
    FAILED = 'failed'           #: rolled back; the guest runs on the source
    LOST = 'lost'               #: in post-copy, memory is missing for good
    UNWATCHED = 'unwatched'     #: it continues, but nova-compute is stopping


class Result(typing.NamedTuple):
    end: End
    #: why, unless completed
    error: Exception | str | None = None
    #: libvirt itself saw the guest arrive
    arrived: bool = False
