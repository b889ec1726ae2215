# SPDX-License-Identifier: Apache-2.0

"""The server of one example, how it is, and how time passes for it."""

import contextlib
import functools
import time

from hypothesis import stateful
from hypothesis import strategies as st
from oslo_log import log as logging

from lab.simulation import guest
from nova import context
from nova import exception
from nova import objects
from nova_post_copy.objects.migration import FINAL

LOG = logging.getLogger(__name__)

BEGINNINGS = st.sampled_from([
    guest.Happening.ITERATION, guest.Happening.SWITCHED,
    guest.Happening.RESUMED, guest.Happening.COMPLETED])
MOMENTS = BEGINNINGS | st.just(guest.Happening.INTERRUPTED)

# Real seconds in which Nova may react, and which a moment is waited for.
REACTION_S = 0.1
PATIENCE_S = 1.0
# Real seconds until libvirt has been asked, on a machine that is busy.
BEGIN_S = 20.0

#: The phases in which the memory is on both hosts.
ON_BOTH = (guest.Phase.SWITCH_OVER, guest.Phase.POST_COPY,
           guest.Phase.INTERRUPTED)
#: The statuses in which a server may be on both hosts, to Nova.
BETWEEN = ('running', 'running (post-copy)', 'interrupted (post-copy)',
           'post-migrating')


def rule(**strategies):
    """Make a rule of a method, which logs when it is applied, and with what.

    Hypothesis says it after an example; the log says what else happened then.
    """
    def decorate(method):
        @functools.wraps(method)
        def logged(self, **drawn):
            LOG.info('Next for server %s: %s %s', self.server,
                     method.__name__, drawn or '')
            return method(self, **drawn)

        return stateful.rule(**strategies)(logged)

    return decorate


class World(stateful.RuleBasedStateMachine):
    """A server and its migration; time stands still between two events.

    Whether a rule applies may depend on what Nova has done meanwhile, so rules
    have no preconditions for Hypothesis, which takes it that an example can be
    repeated: a rule that does not apply does nothing.
    """

    def __init__(self, test) -> None:
        super().__init__()
        self.test = test
        self.hosts = test.hosts
        self.server: str | None = None
        #: the delete that Nova has accepted: 'delete' or 'soft delete'
        self.deleted: str | None = None
        #: whether it was upstream's alone: no migration had to end first
        self.begun = False
        #: whether Cinder has failed meanwhile, which upstream ignores then
        self.leaks = False
        #: when upstream was first seen to have failed in it (s)
        self.delete_failed_at: float | None = None
        #: whether memory was lost, or its loss decided
        self.lost = False
        #: whether a host keeps its directory as it was before that
        self.backup = False
        #: whether the guest has ended by itself
        self.off = False
        #: whether the server was said to be in error when nothing moved it
        self.reset = False
        #: whether Nova could not know what may be deleted
        self.forgot = False
        #: whether something was done to the server after its migration
        self.touched = False
        #: its first ports, without those that somebody has deleted
        self.ports: set[str] = set()
        #: its volumes, and all consumers of allocations for it
        self.volumes: set[str] = set()
        self.consumers: set[str] = set()

    @stateful.initialize(
        moment=BEGINNINGS, networks=st.sampled_from(['none', 'auto']),
        volumes=st.integers(0, 2), reclaim=st.booleans(),
        credentials=st.booleans())
    def begin(self, moment, networks, volumes, reclaim, credentials):
        """Create a server with ports and volumes, and migrate it.

        :param reclaim: whether a deleted server can be restored
        :param credentials: whether Nova has some of its own for Cinder
        """
        self.test.new_server(networks, volumes, reclaim, credentials)
        self.server = self.test.server['id']
        self.first_move = len(self.hosts.moves)
        self.ports |= set(self.test.neutron.bindings(self.server))
        self.volumes |= self.test.cinder.volumes_of(self.server)
        # What happens before libvirt is asked is not drawn: the hosts do not
        # know of a migration yet, and upstream's conductor decides.
        self.hosts.stop_at = {moment}
        asked = self.ask('POST', '/action', self.test.body(True, host='dest'))
        give_up = time.monotonic() + BEGIN_S
        while (asked and not self.hosts.clock.stopped and
               self.status() not in FINAL and
               time.monotonic() < give_up):
            time.sleep(0.01)
        self.hosts.stop_at = set()
        self.hosts.clock.stop()
        self.consumers |= {self.server, *(
            migration['uuid'] for migration in self.test.migrations())}

    @stateful.rule(moment=MOMENTS)
    def until(self, moment):
        self.hosts.stop_at = {moment}
        self.hosts.clock.go_on()
        give_up = time.monotonic() + PATIENCE_S
        while not self.hosts.clock.stopped and time.monotonic() < give_up:
            time.sleep(0.01)
        self.hosts.stop_at = set()
        self.hosts.clock.stop()

    @contextlib.contextmanager
    def told(self):
        """Log a failure: Hypothesis may only say that it is not repeated."""
        try:
            yield
        except Exception:
            LOG.exception('The example of server %s fails', self.server)
            raise

    # How it is

    def phase(self):
        """Return the phase of the migration that is under way."""
        moves = self.hosts.moves[self.first_move:]
        phase = moves[-1].migration.phase if moves else None
        return None if phase in guest.ENDED else phase

    def migration(self):
        """Return the newest live migration."""
        return next((migration for migration in self.test.migrations()
                     if migration['migration_type'] == 'live-migration'), None)

    def status(self):
        """Return the status of the newest live migration."""
        migration = self.migration()
        return migration and migration['status']

    def unfinished(self):
        """Tell whether Nova says that a migration is not over."""
        return self.status() not in (None, *FINAL)

    def between_hosts(self):
        """Tell whether Nova says that the server may be on two hosts."""
        return self.status() in BETWEEN

    def recorded_on(self):
        """Return the host that Nova names; None once it is deleted."""
        instance = self.instance()
        return instance and instance.host

    def instance(self):
        """Return the server as Nova's database has it; None once deleted.

        The API cannot show it while neutron does not answer.
        """
        with context.target_cell(
                context.get_admin_context(),
                self.test.cell_mappings['cell1']) as cell:
            try:
                return objects.Instance.get_by_uuid(cell, self.server)
            except exception.InstanceNotFound:
                return None

    def is_active(self, host):
        domain = self.hosts.domains(self.server).get(host)
        return domain is not None and domain.isActive()

    def react(self):
        time.sleep(REACTION_S)

    def ask(self, method, path, body=None):
        """Ask for something; the answer may be anything but an error.

        An error it may be where another service does not answer.

        :returns: whether it was accepted
        """
        status, message = self.test.request(
            method, '/servers/' + self.server + path, body)
        if not (self.test.cinder.outage.on or self.test.neutron.outage.on):
            with self.told():
                self.test.assertLess(status, 500, message)
        self.react()
        return status < 400
