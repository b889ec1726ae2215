# SPDX-License-Identifier: Apache-2.0

"""Reach the destination while the stream is broken.

libvirt resumes the migration; Nova asks for the state of the guest there.
"""

import time
import typing

try:
    import libvirt
except ImportError:
    # As in Nova: only nova-compute has it.
    libvirt = None

import futurist
from oslo_log import log as logging

from nova import context as nova_context
from nova import exception
from nova.network import neutron
from nova import objects
from nova.virt.libvirt import host as libvirt_host

from nova_post_copy.compute import rpcapi
from nova_post_copy.decisions import condition
from nova_post_copy.decisions.condition import Condition
from nova_post_copy.decisions import recovery
from nova_post_copy.migration import probe
from nova_post_copy.objects.migration import COPYING
from nova_post_copy.objects.migration import FINAL
from nova_post_copy.objects.migration import live_migrations
from nova_post_copy.objects.migration import Status
from nova_post_copy.virt.libvirt import domain
from nova_post_copy.virt.libvirt import outgoing
from nova_post_copy.virt.libvirt import own_connection

LOG = logging.getLogger(__name__)

# Seconds that upstream has to move the network at the event of the switch.
EVENT_GRACE_S = 1.0

# Flags that upstream sets for the first attempt and that a resume does not
# need: disks are complete, and the guest is not throttled.
_FIRST_ATTEMPT_ONLY = ('VIR_MIGRATE_NON_SHARED_DISK',
                       'VIR_MIGRATE_NON_SHARED_INC',
                       'VIR_MIGRATE_AUTO_CONVERGE')


class Target(typing.NamedTuple):
    """Where libvirt finds the destination."""

    uri: str                #: of its libvirt
    migrate_uri: str | None     #: of the stream; None: libvirt chooses


class Answer(typing.NamedTuple):
    """State of a migration on the destination and in the database."""

    #: condition of the domain on the destination; None: no answer
    destination: Condition | None
    given_up: bool          #: by an operator


class Link:
    """Connections to the destination of one migration.

    :param migration_id: of the migration in the database
    :param addresses: the migration address of the destination, then those to
        fall back on
    :param target: makes the URIs of an address
    :param flags: libvirt's flags of the first attempt
    :param spawn: starts a function in a thread and returns its future
    :param resume_refusal: why no broken stream to the destination may be
        resumed; None: it may
    """

    def __init__(self, context: nova_context.RequestContext,
                 host: libvirt_host.Host, instance: objects.Instance,
                 migration_id: int, dest: str, addresses: list[str],
                 target: typing.Callable[[str], Target], flags: int,
                 spawn: typing.Callable[..., futurist.Future],
                 resume_refusal: str | None = None) -> None:
        self._context = context
        self._host = host
        self._instance = instance
        self._migration_id = migration_id
        self._dest = dest
        self._addresses = addresses
        self._target = target
        self._flags = flags
        self._spawn = spawn
        self._compute = rpcapi.PostCopyComputeAPI()
        self.resume_refusal = resume_refusal

    def cut_over_network(self) -> futurist.Future:
        """Activate the port bindings of the destination.

        Upstream does so at libvirt's event of the switch, which may come
        late, or after the status has changed again; then the server would
        have no network until all of its memory has arrived.

        :returns: its result tells whether that is done
        """
        return self._spawn(self._cut_over_network)

    def _cut_over_network(self) -> bool:
        time.sleep(EVENT_GRACE_S)
        # The switch may have been undone since: the bindings follow the
        # guest, not the call.
        if not self._has_left():
            return False
        try:
            neutron.API().migrate_instance_start(
                self._context, self._instance, objects.Migration(
                    source_compute=self._instance.host,
                    dest_compute=self._dest))
        except Exception as exc:
            LOG.warning('Could not activate the port bindings on %(dest)s, '
                        'retrying: %(error)s',
                        {'dest': self._dest, 'error': exc},
                        instance=self._instance)
            return False
        return True

    def _has_left(self) -> bool:
        """Tell whether the guest is in post-copy, on the destination."""
        found = domain.ask(self._host, self._instance)
        if found is Condition.BROKEN:
            # Perhaps before the destination had the state of its devices.
            return self.destination() in (
                Condition.RUNNING, *condition.STARTED)
        return found is Condition.POST_COPY

    def open_address(self, failures: int) -> str | None:
        """Find an address of the destination that accepts connections.

        libvirt by itself would try only the first one, until TCP gives up.
        """
        for address in recovery.addresses_to_try(self._addresses, failures):
            if probe.accepts(self._target(address).uri):
                return address
        return None

    def resume(self, address: str) -> futurist.Future:
        """Resume the migration; the result is None or libvirt's error."""
        LOG.info('Resuming the post-copy migration over %s', address,
                 instance=self._instance)
        return self._spawn(self._resume, self._target(address))

    def _resume(self, target: Target) -> Exception | None:
        flags = self._flags | libvirt.VIR_MIGRATE_POSTCOPY_RESUME
        for name in _FIRST_ATTEMPT_ONLY:
            flags &= ~getattr(libvirt, name)
        params = {}
        if target.migrate_uri:
            params[libvirt.VIR_MIGRATE_PARAM_URI] = target.migrate_uri
        try:
            own_connection.guest(
                self._host, self._instance)._domain.migrateToURI3(
                target.uri, params=params, flags=flags)
        except (libvirt.libvirtError, exception.NovaException) as exc:
            return exc
        return None

    def daemon_has_ended(self, address: str, error: Exception) -> bool:
        """Tell whether libvirt on the destination ended during an attempt.

        A network that was cut drops the connection as well, but then the
        host does not answer; one whose daemon has ended refuses, or accepts
        because the daemon was started again.

        :param error: of the attempt
        """
        return (isinstance(error, libvirt.libvirtError) and
                error.get_error_domain() in (libvirt.VIR_FROM_REMOTE,
                                             libvirt.VIR_FROM_RPC) and
                probe.answers(self._target(address).uri))

    def let_go(self, reason: str) -> None:
        """Stop the paused copy of a guest that does not need it any more."""
        LOG.warning('Stopping the paused copy on this host: %s', reason,
                    instance=self._instance)
        try:
            self._host.get_guest(self._instance).poweroff()
        except (libvirt.libvirtError, exception.NovaException) as exc:
            LOG.warning('Could not stop the paused copy yet: %s', exc,
                        instance=self._instance)

    def ask(self) -> futurist.Future:
        """Ask Nova; the result is an :class:`Answer`.

        Both hosts also detect their dead connections by this.
        """
        return self._spawn(self._ask)

    def _ask(self) -> Answer:
        destination = self.destination()
        if (destination in condition.STARTED and
                self.resume_refusal is None):
            # QEMU there may still wait for the dead stream, and libvirt here
            # for a reply of the destination: both would refuse to resume.
            self._compute.break_incoming_stream(
                self._context, self._dest, self._instance,
                self._own_addresses())
            self._end_dead_calls()
        return Answer(destination, self._is_given_up())

    def destination(self) -> Condition | None:
        """Ask the destination's nova-compute; None: it does not answer."""
        return self._compute.guest_condition(
            self._context, self._dest, self._instance)

    def _own_addresses(self) -> list[str]:
        """Return the addresses of this host on the way to the other one."""
        hosts = [probe.where(uri)[0] for address in self._addresses
                 for uri in self._target(address) if uri]
        return outgoing.own_addresses(host for host in hosts if host)

    def _end_dead_calls(self) -> None:
        """Let libvirt here detect that the destination does not answer.

        Only once the guest runs there: until then this connection decides on
        which host the guest runs.
        """
        try:
            if self._others_are_copied():
                # Their calls may survive the outage that breaks ours.
                return
            for address in self._addresses:
                host, port = probe.where(self._target(address).uri)
                if host is not None and port is not None:
                    outgoing.end_dead(host, port)
        except Exception as exc:
            # The database is unavailable, for example.
            LOG.info("Leaving it to libvirt's keepalive to detect that the "
                     'destination does not answer: %s', exc,
                     instance=self._instance)

    def _others_are_copied(self) -> bool:
        """Tell whether libvirt copies other servers to that host."""
        return any(
            migration.dest_compute == self._dest
            and migration.instance_uuid != self._instance.uuid
            for migration in live_migrations(
                self._context, source_compute=self._instance.host,
                status=list(COPYING)))

    def is_over(self) -> bool | None:
        """Tell whether the migration is over in Nova's database.

        As long as this host watches the migration, only an operator can have
        ended it there. A reset state or a deletion of the server says nothing
        about its memory.

        :returns: None when the database does not answer
        """
        status = self._status()
        return None if status is None else status in FINAL

    def _is_given_up(self) -> bool:
        # One that an operator has found completed needs no memory, and ends
        # as if nobody had been told.
        status = self._status()
        return status in FINAL and status != Status.COMPLETED

    def _status(self) -> str | None:
        try:
            return objects.Migration.get_by_id(
                self._context, self._migration_id).status
        except exception.MigrationNotFound:
            return ''
        except Exception as exc:
            LOG.debug('Could not read the status of the live migration: %s',
                      exc, instance=self._instance)
            return None
