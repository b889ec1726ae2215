# SPDX-License-Identifier: Apache-2.0

"""The libvirtd of a simulated host: its connection and its events.

Extends upstream's fake by the incoming side of a migration, restarts, and
events that another thread delivers in order. Error messages are those of
libvirt 9.0, since they reach operators through Nova. Everything but the
delivery of events runs under the lock of the simulated hosts.
"""

from collections.abc import Callable
import dataclasses
import itertools
import queue
import threading
import time
from urllib import parse

from oslo_log import log as logging

from nova.tests.fixtures import libvirt as fake

from lab.simulation import domain_object
from lab.simulation import hosts
from lab.simulation import names
from lab.simulation import timing

LOG = logging.getLogger(__name__)

# Real time that a switch waits for the handlers of its event.
DELIVERY_S = 1.0


@dataclasses.dataclass(frozen=True)
class Listener:
    """A client's subscription to an event.

    ``check`` raises when the client no longer exists.
    """

    event_id: int
    callback: Callable
    check: Callable[[], None]


class Libvirtd(fake.Connection):
    """The libvirtd of one simulated host."""

    def __init__(self, cloud: hosts.Hosts, *, userfaultfd: bool = True,
                 **kwargs):
        """Add a host to the simulated cloud.

        :param userfaultfd: whether its QEMU may take part in post-copy
        :param kwargs: as of upstream's fake connection
        """
        super().__init__('qemu:///system', **kwargs)
        self.hosts = cloud
        self.userfaultfd = userfaultfd
        #: where its Nova has the disks of servers
        self.instances_path = ''
        #: how often it has been restarted
        self.generation = 0
        self._listeners: dict[int, Listener] = {}
        self._listener_ids = itertools.count()
        self._events: queue.Queue = queue.Queue()
        self._event_thread = threading.Thread(
            target=self._deliver_events, daemon=True,
            name='libvirt events of ' + self.hostname)
        self._event_thread.start()
        cloud.daemons[self.hostname] = self

    def restart(self) -> None:
        """Restart libvirtd. QEMU runs on; clients lose their connections."""
        with self.hosts.lock:
            self.hosts.tick()
            self.generation += 1
            self._listeners.clear()
            for domain in list(self._vms.values()):
                if domain.job is not None:
                    domain.job.libvirtd_restarted(domain)

    def defineXML(self, xml):
        domain = domain_object.DomainObject(self, xml)
        known = self.domain_named(domain.name())
        if known is not None and known.isActive():
            # It runs on unchanged; a transient domain becomes persistent.
            known._transient = False
            domain = known
        self._vms[domain.name()] = domain
        self._emit_lifecycle(domain, fake.VIR_DOMAIN_EVENT_DEFINED, 0)
        return domain

    def createXML(self, xmlDesc, flags=0):
        domain = domain_object.DomainObject(self, xmlDesc, transient=True)
        self._vms[domain.name()] = domain
        domain.createWithFlags(flags)
        return domain

    def receive(self, xml: str, flags: int,
                source: 'Libvirtd') -> domain_object.DomainObject:
        """Prepare the incoming side of a migration.

        The path of a file is the same on both hosts, as seen from outside
        of the simulation it is not.

        :returns: a domain whose CPUs do not run yet
        """
        if flags & fake.VIR_MIGRATE_POSTCOPY and not self.userfaultfd:
            raise names.error(
                fake.VIR_ERR_INTERNAL_ERROR,
                "internal error: unable to execute QEMU command "
                "'migrate-set-capabilities': Postcopy is not supported")
        if source.instances_path:
            xml = xml.replace(source.instances_path, self.instances_path)
        domain = domain_object.DomainObject(self, xml, transient=not (
            flags & fake.VIR_MIGRATE_PERSIST_DEST))
        known = self.domain_named(domain.name())
        if known is not None and known.isActive():
            raise names.invalid("domain '%s' is already active"
                                % domain.name())
        domain.check_disks()
        domain.become(fake.VIR_DOMAIN_PAUSED,
                      names.VIR_DOMAIN_PAUSED_MIGRATION)
        self._vms[domain.name()] = domain
        self._running_vms[self._id_counter] = domain
        self._id_counter += 1
        self._emit_lifecycle(domain, fake.VIR_DOMAIN_EVENT_STARTED,
                             names.VIR_DOMAIN_EVENT_STARTED_MIGRATED)
        return domain

    def stop(self, domain: domain_object.DomainObject, reason: int,
             detail: int, undefine: bool = False) -> None:
        """Note that the QEMU of a domain has ended, unless it had before.

        :param reason: virDomainShutoffReason
        :param detail: virDomainEventStoppedDetailType
        :param undefine: remove the domain, as if it were transient
        """
        if domain.isActive():
            domain.become(fake.VIR_DOMAIN_SHUTOFF, reason,
                          fake.VIR_DOMAIN_EVENT_STOPPED, detail)
        self._running_vms = {number: other for number, other
                             in self._running_vms.items()
                             if other is not domain}
        if undefine or domain._transient:
            self._vms.pop(domain.name(), None)

    def domain_named(self, name: str) -> domain_object.DomainObject | None:
        return self._vms.get(name)

    def peer(self, uri: str) -> 'Libvirtd':
        """Find the host that a migration URI names.

        :raises libvirtError: it cannot be reached
        """
        host = parse.urlsplit(uri).hostname
        reason = 'Name or service not known'
        if host in self.hosts.daemons:
            if not self.hosts.is_cut:
                return self.hosts.daemons[host]
            reason = 'No route to host'
        raise names.error(
            fake.VIR_ERR_SYSTEM_ERROR,
            "unable to connect to server at '%s:16509': %s" % (host, reason),
            fake.VIR_FROM_RPC)

    def domainListGetStats(self, doms, stats: int = 0,
                           flags: int = 0) -> list:
        return [(domain, self.lookupByUUIDString(
            domain.UUIDString()).dirty_rate()) for domain in doms]

    def listen(self, listener: Listener) -> int:
        number = next(self._listener_ids)
        self._listeners[number] = listener
        return number

    def unlisten(self, number: int) -> None:
        self._listeners.pop(number, None)

    def emit(self, event_id: int, domain: domain_object.DomainObject,
             *what) -> None:
        """Queue an event; another thread delivers them in order."""
        self._events.put((event_id, domain, what))

    def _emit_lifecycle(self, dom, event, detail):
        self.emit(fake.VIR_DOMAIN_EVENT_ID_LIFECYCLE, dom, event, detail)

    def wait_for_delivery(self) -> None:
        """Wait until every event so far was handled, a second at most."""
        deadline = time.monotonic() + DELIVERY_S
        while self._events.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(timing.TICK_S)

    def stop_events(self) -> None:
        """Deliver the queued events, and end the thread."""
        self._events.put(None)
        self._event_thread.join(DELIVERY_S)

    def _deliver_events(self) -> None:
        while (event := self._events.get()) is not None:
            event_id, domain, what = event
            for listener in list(self._listeners.values()):
                if listener.event_id == event_id:
                    self._deliver(listener, domain, what)
            self._events.task_done()

    def _deliver(self, listener: Listener, domain: domain_object.DomainObject,
                 what: tuple) -> None:
        try:
            listener.check()
            listener.callback(domain, *what)
        except Exception:
            # As libvirt-python does: nobody could take the exception.
            LOG.exception('Handling an event of %s failed', self.hostname)
        except names.Killed:
            LOG.debug('A client of %s does not exist any more',
                      self.hostname)
