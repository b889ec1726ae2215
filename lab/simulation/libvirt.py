# SPDX-License-Identifier: Apache-2.0

"""The module ``libvirt`` as Nova sees it on a simulated host.

Connections to the :class:`lab.simulation.libvirtd.Libvirtd` of a host, and
references to its domains, as a process of Nova holds them. Both become invalid
when that libvirtd restarts or the process that holds them is killed; the
domains themselves live on.
"""

import contextvars
import time

from lab.simulation import domain_object
from lab.simulation import libvirtd
from lab.simulation import names
from lab.simulation import operation
from lab.simulation import timing


def __getattr__(name: str):
    return getattr(names, name)


class Connection:
    """A virConnect: one client's connection to the libvirtd of its host."""

    def __init__(self, daemon: libvirtd.Libvirtd) -> None:
        self.daemon = daemon
        self._generation = daemon.generation
        self._killed = False

    def kill(self) -> None:
        """Kill the client; libvirtd continues what it was asked for."""
        self._killed = True

    def check(self) -> None:
        """Check that both ends of the connection are alive.

        :raises lab.simulation.names.Killed: the caller should not exist
        :raises libvirtError: libvirtd has been restarted since
        """
        if self._killed:
            raise names.Killed
        if self._generation != self.daemon.generation:
            raise names.connection_lost()

    def call(self, function, *args, **kwargs):
        """Call a function of libvirtd, after it has caught up with time."""
        self.check()
        with self.daemon.hosts.lock:
            self.daemon.hosts.tick()
            return self._referring(function(*args, **kwargs))

    def _referring(self, result):
        if isinstance(result, domain_object.DomainObject):
            return Domain(self, result)
        if isinstance(result, list):
            return [self._referring(each) for each in result]
        return result

    def wait(self, called: operation.Operation) -> None:
        """Block until an operation is over.

        :raises libvirtError: what it ended with
        """
        while not called.done:
            self.check()
            if self.daemon.hosts.closed:
                raise names.connection_lost()
            time.sleep(timing.TICK_S)
        self.check()
        if called.error is not None:
            raise called.error

    def domainEventRegisterAny(self, dom, eventID, cb, opaque) -> int:
        # The callback runs in the client's process, whoever delivers.
        process = contextvars.copy_context()
        return self.call(self.daemon.listen, libvirtd.Listener(
            eventID, lambda domain, *what: process.copy().run(
                cb, self, Domain(self, domain), *what, opaque),
            self.check))

    def domainEventDeregisterAny(self, callbackID: int) -> None:
        self.call(self.daemon.unlisten, callbackID)

    def __getattr__(self, name: str):
        value = getattr(self.daemon, name)
        if not callable(value):
            return value
        return lambda *args, **kwargs: self.call(value, *args, **kwargs)


class Domain:
    """A virDomain: one client's reference, valid while the domain exists."""

    def __init__(self, connection: Connection,
                 domain: domain_object.DomainObject) -> None:
        self._connection = connection
        self._uuid = domain.UUIDString()
        self._name = domain.name()

    def __eq__(self, other) -> bool:
        return isinstance(other, Domain) and self._uuid == other._uuid

    def __hash__(self) -> int:
        return hash(self._uuid)

    def UUIDString(self) -> str:
        return self._uuid

    def name(self) -> str:
        return self._name

    def migrateToURI3(self, dconnuri, params, flags=0) -> None:
        # The operation belongs to libvirtd: peer to peer, it continues
        # without the client that waits for it.
        self._connection.wait(
            self._call('migrateToURI3', dconnuri, params, flags))

    def migrateStartPostCopy(self, flags: int = 0) -> int:
        result = self._call('migrateStartPostCopy', flags)
        # The call returns only after everyone else has had the event of the
        # switch: the worse of the two possible orders.
        self._connection.daemon.wait_for_delivery()
        self._connection.check()
        return result

    def _call(self, name: str, *args, **kwargs):
        daemon = self._connection.daemon
        return self._connection.call(lambda: getattr(
            daemon.lookupByUUIDString(self._uuid), name)(*args, **kwargs))

    def __getattr__(self, name: str):
        if not hasattr(domain_object.DomainObject, name):
            raise AttributeError(name)
        return lambda *args, **kwargs: self._call(name, *args, **kwargs)
