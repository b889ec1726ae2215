# SPDX-License-Identifier: Apache-2.0

"""One live migration on its source: what all of its phases share."""

import collections
import dataclasses
import threading
import typing

from nova import objects
from nova.virt.libvirt import guest as libvirt_guest
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.migration.link import Link
from nova_post_copy.migration.reporter import Reporter
from nova_post_copy.migration.slot import Slot
from nova_post_copy.migration.summary import Summary
from nova_post_copy.virt.libvirt.signals import Signals

# What users may request of a running migration. The first is Nova's word.
FORCE_COMPLETE: typing.Final = 'force-complete'
ABORT: typing.Final = 'abort'


@dataclasses.dataclass(frozen=True)
class LiveMigration:
    """One live migration and the parts that watch it.

    :ivar requests: requests of users; other threads append and remove
    :ivar can_switch: False for a paused guest, which moves by pre-copy
    :ivar signals: events of the guest
    :ivar stopping: set when nova-compute stops
    :ivar slot: among the migrations of this host, unless nova-compute was
        restarted since
    """

    host: libvirt_host.Host
    instance: objects.Instance
    requests: collections.deque[str]
    can_switch: bool
    link: Link
    reporter: Reporter
    signals: Signals
    stopping: threading.Event
    slot: Slot = dataclasses.field(default_factory=Slot)
    summary: Summary = dataclasses.field(default_factory=Summary)

    def guest(self) -> libvirt_guest.Guest:
        """Look the guest up again: libvirtd may have been restarted since.

        :raises nova.exception.NovaException: it is not on the source, or
            libvirt does not answer
        """
        return self.host.get_guest(self.instance)
