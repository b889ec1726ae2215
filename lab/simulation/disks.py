# SPDX-License-Identifier: Apache-2.0

"""Who has which disk open, who writes to it, and what a guest lacks.

The disks themselves are elsewhere: files and RBD images in :mod:`.images`,
LUNs in :mod:`.san`.
"""

from collections.abc import Iterator
import typing

# VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_INACTIVE
ALL = 3


class Store(typing.Protocol):
    """What knows of some disks; of others it says nothing."""

    def identity(self, source: str) -> str | None:
        """Name a disk that hosts know by different sources."""

    def usable(self, host: str, source: str) -> bool:
        """Tell whether a disk is there."""


class Disks:
    """The disks of all simulated hosts.

    A *source* is what the XML of a domain has: a path, or ``rbd:pool/image``.
    """

    def __init__(self, cloud) -> None:
        """Begin without any.

        :param cloud: the :class:`lab.simulation.hosts.Hosts`
        """
        self._cloud = cloud
        self.stores: list[Store] = []

    def usable(self, host: str, source: str) -> bool:
        return all(store.usable(host, source) for store in self.stores)

    def needing(self, host: str, source: str) -> set[str]:
        """Return the servers that are on a host and use a disk there.

        A half that post-copy has left behind, or a domain that waits for an
        incoming migration, is not the guest.
        """
        with self._cloud.lock:
            return {domain.UUIDString() for name, domain in self._active()
                    if name == host and domain.is_the_guest
                    and source in domain.disk_sources()}

    def opened(self, source: str) -> set[tuple[str, str]]:
        """Return who has a disk open: pairs of host and server."""
        with self._cloud.lock:
            return {(host, domain.UUIDString())
                    for host, domain in self._active()
                    if source in domain.disk_sources()}

    def missing(self) -> list[str]:
        """Say which disks a guest needs that are not there."""
        with self._cloud.lock:
            return ['%s lacks %s, which server %s needs'
                    % (host, source, domain.UUIDString())
                    for host, domain in self._active() if domain.is_the_guest
                    for source in sorted(domain.disk_sources())
                    if not self.usable(host, source)]

    def check_writers(self, domain) -> None:
        """Note each disk that another guest writes when this one begins."""
        for host, other in self._active():
            if other is domain or not other.runs:
                continue
            for disk in self._behind(domain) & self._behind(other):
                self._cloud.violate(
                    '%s is written by server %s on %s and by server %s on %s'
                    % (disk, domain.UUIDString(), domain.daemon.hostname,
                       other.UUIDString(), host))

    def _behind(self, domain) -> set[str]:
        """Return what is behind the sources of a domain, wherever it is."""
        return {next((identity for store in self.stores
                      if (identity := store.identity(source)) is not None),
                     source) for source in domain.disk_sources()}

    def _active(self) -> Iterator[tuple[str, typing.Any]]:
        for host, daemon in list(self._cloud.daemons.items()):
            for domain in daemon.listAllDomains(ALL):
                if domain.isActive():
                    yield host, domain
