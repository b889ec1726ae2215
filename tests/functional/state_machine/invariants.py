# SPDX-License-Identifier: Apache-2.0

"""What must hold all the time, whatever has happened."""

from hypothesis import stateful

from lab.simulation import guest
from tests.functional.state_machine import world


class Invariants(world.World):

    @stateful.invariant()
    def all_holds(self):
        for check in (self.at_most_one_copy_runs,
                      self.no_disk_has_two_writers_or_is_taken_away,
                      self.the_guest_has_its_disks,
                      self.no_volume_of_a_guest_is_free,
                      self.no_port_of_a_guest_is_free,
                      self.none_runs_without_an_owner,
                      self.nothing_is_destroyed_that_could_be_kept):
            with self.told():
                check()

    def at_most_one_copy_runs(self):
        if self.server:
            self.test.assertEqual([], self.hosts.ran_twice(self.server))

    def no_disk_has_two_writers_or_is_taken_away(self):
        self.test.assertEqual([], [
            str(violation) for violation in self.hosts.violations])

    def the_guest_has_its_disks(self):
        self.test.assertEqual([], self.hosts.disks.missing())

    def no_volume_of_a_guest_is_free(self):
        self.test.assertEqual([], self.test.cinder.unattached())

    def no_port_of_a_guest_is_free(self):
        if self.server and self.hosts.running_on(self.server):
            bound = {port for port, bindings
                     in self.test.neutron.bindings(self.server).items()
                     if bindings}
            # It may have been deleted meanwhile.
            self.test.assertTrue(
                self.ports <= bound or
                not self.hosts.running_on(self.server),
                'ports of a guest: %s; bound: %s' % (self.ports, bound))

    def none_runs_without_an_owner(self):
        if not self.server or self.instance() is not None:
            return
        running = self.hosts.running_on(self.server)
        self.test.assertTrue(
            not running or self.test.recorded(self.server),
            'deleted, but runs on %s' % running)

    def nothing_is_destroyed_that_could_be_kept(self):
        if self.deleted or self.touched or self.off or not self.server:
            return
        self.test.assertEqual([], [
            destroyed for destroyed in self.hosts.destroyed
            if destroyed.server == self.server
            and destroyed.phase is not None
            and destroyed.phase not in guest.ENDED])
